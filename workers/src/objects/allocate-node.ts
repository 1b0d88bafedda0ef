import { NODE_NUMBER_MAX, nodeIdOf } from '@tunnox/domain/ids';
import type { NodeSeat } from '../services/live-ports.ts';

export type Allocation =
  | { kind: 'held'; node_id: string }
  /** `freed`: the seat of a node that has been gone for long, which is to be given up. */
  | { kind: 'new'; node_id: string; freed: NodeSeat | null }
  | { kind: 'exhausted' };

/** How long a node keeps its id while it is away and ids are short. */
export const SEAT_KEPT_MS = 24 * 3_600_000;

/**
 * Chooses the node id for a key: the one that it has, else the lowest free one, else (only when none is free) that of
 * the node which has been gone longest, at least {@link SEAT_KEPT_MS}.
 */
export function allocateNode(seats: NodeSeat[], fingerprint: string, nowMs: number): Allocation {
  const own = seats.find((seat) => seat.fingerprint === fingerprint);
  if (own !== undefined) return { kind: 'held', node_id: own.node_id };
  const taken = new Set(seats.map((seat) => seat.node_id));
  for (let number = 1; number <= NODE_NUMBER_MAX; number += 1) {
    const nodeId = nodeIdOf(number);
    if (!taken.has(nodeId)) return { kind: 'new', node_id: nodeId, freed: null };
  }
  const goneSince = (seat: NodeSeat): number => seat.gone_since ?? Number.POSITIVE_INFINITY;
  const [oldest] = seats
    .filter((seat) => goneSince(seat) <= nowMs - SEAT_KEPT_MS)
    .sort((a, b) => goneSince(a) - goneSince(b));
  return oldest === undefined ? { kind: 'exhausted' } : { kind: 'new', node_id: oldest.node_id, freed: oldest };
}
