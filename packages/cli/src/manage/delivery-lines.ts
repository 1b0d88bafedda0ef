import type { Delivery } from '@tunnox/domain/api/common';

/** How far a change came at the agents, for people; nothing when all have applied it. */
export function deliveryLines(delivery: readonly Delivery[]): string[] {
  return delivery.flatMap(({ client_id, state, detail }) => {
    switch (state) {
      case 'applied':
        return [];
      case 'offline':
        return [`Client ${client_id} is offline: it takes this when its agent connects`];
      case 'pending':
        return [`Client ${client_id} has not said yet that it has taken this`];
      case 'failed':
        return [`Client ${client_id} could not do this: ${detail ?? 'it does not say why'}`];
    }
  });
}
