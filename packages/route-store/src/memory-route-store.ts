import type { Binding } from '@tunnox/domain/binding';
import type { NodeAddress, Presence } from '@tunnox/domain/presence';
import { assembleAnswer, hasPlace } from './assemble-answer.ts';
import { type Envelope, mayReplace, type Stored, storedNode, storedPresence, storedRoute } from './envelope.ts';
import type { FoundAnswer, PresenceRecord, RouteRecord, RouteStore } from './route-store.ts';
import { NODE_TTL_MS } from './route-store.ts';

export interface MemoryRouteStoreDeps {
  /** Milliseconds. */
  now: () => number;
}

/** A store inside one process, for unit tests. */
export class MemoryRouteStore implements RouteStore {
  readonly #now: () => number;
  readonly #nodeTtlMs: number;
  readonly #entries = new Map<string, { text: string; endsAt: number }>();

  constructor(deps: MemoryRouteStoreDeps, options: { nodeTtlMs?: number } = {}) {
    this.#now = deps.now;
    this.#nodeTtlMs = options.nodeTtlMs ?? NODE_TTL_MS;
  }

  async getRoute(endpoint: string): Promise<RouteRecord | null> {
    const envelope = this.#get<Binding>(`route:${endpoint}`);
    return envelope === null ? null : { version: Number(envelope.rank[0]), binding: envelope.data };
  }

  async putRoute(endpoint: string, record: RouteRecord): Promise<boolean> {
    return this.#put(`route:${endpoint}`, storedRoute(record, this.#now()));
  }

  async getPresence(clientId: number): Promise<PresenceRecord | null> {
    const envelope = this.#get<Presence>(`presence:${clientId}`);
    if (envelope === null) return null;
    return { generation: Number(envelope.rank[0]), order: Number(envelope.rank[1]), presence: envelope.data };
  }

  async putPresence(clientId: number, record: PresenceRecord): Promise<boolean> {
    return this.#put(`presence:${clientId}`, storedPresence(record));
  }

  async getNode(nodeId: string): Promise<NodeAddress | null> {
    return this.#get<NodeAddress>(`node:${nodeId}`)?.data ?? null;
  }

  async putNode(node: NodeAddress): Promise<boolean> {
    return this.#put(`node:${node.node_id}`, storedNode(node.incarnation, node, this.#nodeTtlMs));
  }

  async removeNode(nodeId: string, incarnation: string): Promise<void> {
    this.#put(`node:${nodeId}`, storedNode(incarnation, null, this.#nodeTtlMs));
  }

  async resolve(endpoint: string): Promise<FoundAnswer | null> {
    const binding = this.#get<Binding>(`route:${endpoint}`)?.data ?? null;
    if (binding === null) return null;
    const answer = assembleAnswer(
      binding,
      (clientId) => this.#get<Presence>(`presence:${clientId}`)?.data ?? null,
      (nodeId) => this.#get<NodeAddress>(`node:${nodeId}`)?.data ?? null,
    );
    return hasPlace(answer) ? answer : null;
  }

  async close(): Promise<void> {}

  #get<T>(key: string): Envelope<T> | null {
    const entry = this.#entries.get(key);
    if (entry === undefined || this.#now() >= entry.endsAt) return null;
    return JSON.parse(entry.text) as Envelope<T>;
  }

  #put(key: string, stored: Stored<unknown>): boolean {
    const held = this.#get(key);
    if (held !== null && !mayReplace(held, stored.envelope)) return false;
    this.#entries.set(key, { text: JSON.stringify(stored.envelope), endsAt: this.#now() + stored.ttlMs });
    return true;
  }
}
