import type { NodeAddress, Presence } from '@tunnox/domain/presence';
import type { PresenceRecord, RouteRecord } from './route-store.ts';
import { NODE_TTL_MS, RECORD_TTL_MS, TOMBSTONE_TTL_MS } from './route-store.ts';

/** A value as every implementation stores it. Ranks compare from the left; at equal ranks a tombstone stays. */
export interface Envelope<T> {
  rank: (number | string)[];
  gone: boolean;
  data: T | null;
}

export interface Stored<T> {
  envelope: Envelope<T>;
  ttlMs: number;
}

/** Whether `next` may be written where `held` stands. The Lua script of `redis-scripts.ts` says the same. */
export function mayReplace(held: Envelope<unknown>, next: Envelope<unknown>): boolean {
  for (const [index, value] of next.rank.entries()) {
    const other = held.rank[index];
    if (other === undefined || value > other) return true;
    if (value < other) return false;
  }
  return next.gone || !held.gone;
}

/** How a route is stored: not beyond its own end. @param nowMs Milliseconds since 1970. */
export function storedRoute({ version, binding }: RouteRecord, nowMs: number): Stored<RouteRecord['binding']> {
  if (binding === null) return { envelope: { rank: [version], gone: true, data: null }, ttlMs: TOMBSTONE_TTL_MS };
  const leftMs = typeof binding.expires_at === 'string' ? Date.parse(binding.expires_at) - nowMs : RECORD_TTL_MS;
  return {
    envelope: { rank: [version], gone: false, data: binding },
    ttlMs: Math.max(1, Math.min(RECORD_TTL_MS, leftMs)),
  };
}

/** How a presence is stored. */
export function storedPresence(record: PresenceRecord): Stored<Presence> {
  const gone = record.presence === null;
  return {
    envelope: { rank: [record.generation, record.order], gone, data: record.presence },
    ttlMs: gone ? TOMBSTONE_TTL_MS : RECORD_TTL_MS,
  };
}

/** How a node is stored; `node` null: removed. Incarnations are ULIDs, so a later one is the greater string. */
export function storedNode(incarnation: string, node: NodeAddress | null, ttlMs = NODE_TTL_MS): Stored<NodeAddress> {
  return { envelope: { rank: [incarnation], gone: node === null, data: node }, ttlMs };
}
