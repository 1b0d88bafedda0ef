import type { NodeAddress } from '@tunnox/domain/presence';

/** How an agent may reach relays: TLS, WebSocket, or whichever works. */
export type TransportChoice = 'tls' | 'ws' | 'auto';
export type Transport = 'tls' | 'ws';

/** One way to one relay. */
export interface Candidate {
  relay: NodeAddress;
  transport: Transport;
}

/** A round tries no more relays than this; the list is sorted by the control plane, the best first. */
const RELAYS_MAX = 6;

export interface CandidateOptions {
  choice: TransportChoice;
  /** Where the agent was connected last. */
  last: { nodeId: string; transport: Transport } | null;
  /** Relays that asked the agent to leave. */
  avoid: ReadonlySet<string>;
}

/**
 * The ways to try in one round, best first: the last relay, then the others in the control plane's order; those that
 * drain or are away at the end. With `auto` every relay's TLS port stands before its WebSocket port, and two relays are
 * tried by TLS before the first WebSocket: a relay that is away is likelier than a network that lets nothing through.
 * The transport that worked last stands first.
 */
export function candidates(relays: NodeAddress[], options: CandidateOptions): Candidate[] {
  const { choice, last, avoid } = options;
  const rank = (relay: NodeAddress): number => {
    if (relay.status === 'offline') return 3;
    if (relay.status === 'draining' || avoid.has(relay.node_id)) return 2;
    return relay.node_id === last?.nodeId ? 0 : 1;
  };
  const sorted = [...relays].sort((a, b) => rank(a) - rank(b)).slice(0, RELAYS_MAX);
  if (choice !== 'auto') return sorted.map((relay) => ({ relay, transport: choice }));
  const order: [Transport, Transport] = last?.transport === 'ws' ? ['ws', 'tls'] : ['tls', 'ws'];
  const result: Candidate[] = [];
  for (let at = 0; at < sorted.length; at += 2) {
    const pair = sorted.slice(at, at + 2);
    for (const transport of order) result.push(...pair.map((relay) => ({ relay, transport })));
  }
  return result;
}
