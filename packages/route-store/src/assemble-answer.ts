import type { Binding } from '@tunnox/domain/binding';
import type { UpstreamPlace } from '@tunnox/domain/lookup';
import type { NodeAddress, Presence } from '@tunnox/domain/presence';
import type { FoundAnswer } from './route-store.ts';

/**
 * Joins a binding with what is known of its upstreams. A client is alive if its presence names a live incarnation:
 * where the node is another run or unknown, both become null.
 */
export function assembleAnswer(
  binding: Binding,
  presenceOf: (clientId: number) => Presence | null,
  nodeOf: (nodeId: string) => NodeAddress | null,
): FoundAnswer {
  const upstreams = binding.upstreams.map(({ client_id }): UpstreamPlace => {
    const presence = presenceOf(client_id);
    const node = presence === null ? null : nodeOf(presence.node_id);
    const alive = presence !== null && node !== null && node.incarnation === presence.incarnation;
    return alive ? { client_id, presence, node } : { client_id, presence: null, node: null };
  });
  return { found: true, binding, upstreams };
}

/** Whether at least one upstream of the answer has a place. */
export function hasPlace(answer: FoundAnswer): boolean {
  return answer.upstreams.some((upstream) => upstream.presence !== null);
}
