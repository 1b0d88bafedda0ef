import type { NodeAddress } from '@tunnox/domain/presence';
import type { AgentRelay } from './live-ports.ts';

/**
 * The relays in the order in which an agent shall try them: the less loaded first, those of about the same load in any
 * order, so that agents which come together do not all go to one.
 *
 * @param random 0 ≤ n < 1
 */
export function orderRelays(relays: AgentRelay[], random: () => number): NodeAddress[] {
  return relays
    .map((relay) => ({ relay, load: Math.floor(Math.log2(relay.clients + 1)), lot: random() }))
    .sort((a, b) => a.load - b.load || a.lot - b.lot)
    .map(({ relay: { clients: _clients, ...address } }) => address);
}
