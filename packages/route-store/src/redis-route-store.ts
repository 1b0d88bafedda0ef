import type { Binding } from '@tunnox/domain/binding';
import type { NodeAddress, Presence } from '@tunnox/domain/presence';
import { assembleAnswer, hasPlace } from './assemble-answer.ts';
import { CircuitBreaker } from './circuit-breaker.ts';
import { type Envelope, type Stored, storedNode, storedPresence, storedRoute } from './envelope.ts';
import type { FoundAnswer, PresenceRecord, RouteRecord, RouteStore } from './route-store.ts';
import { NODE_TTL_MS } from './route-store.ts';

/** What is needed of a Redis client. Both calls end within the client's time-out. */
export interface RedisCommands {
  get(key: string): Promise<string | null>;
  /** Runs `PUT_SCRIPT`. */
  put(key: string, value: string, ttlMs: number): Promise<number>;
  /** Runs `RESOLVE_SCRIPT`. */
  resolve(key: string, presencePrefix: string, nodePrefix: string): Promise<ResolveReply | null>;
  close(): Promise<void>;
}

export type ResolveReply = [route: string, presences: (string | null)[], nodes: (string | null)[]];

export interface RedisRouteStoreOptions {
  /** Life of a node record. */
  nodeTtlMs?: number;
}

const ROUTE = 'tunnox:route:';
const PRESENCE = 'tunnox:presence:';
const NODE = 'tunnox:node:';

/** Two calls may fail before the breaker opens; a second is short enough not to be noticed when Redis is back. */
const BREAKER = { failuresMax: 2, openMs: 1000 };

/** Routes in a Redis, whichever client speaks to it: JSON envelopes, changed by one compare-and-set script. */
export class RedisRouteStore implements RouteStore {
  readonly #commands: RedisCommands;
  readonly #nodeTtlMs: number;
  readonly #breaker = new CircuitBreaker({ now: () => performance.now() }, BREAKER);

  constructor(commands: RedisCommands, options: RedisRouteStoreOptions = {}) {
    this.#commands = commands;
    this.#nodeTtlMs = options.nodeTtlMs ?? NODE_TTL_MS;
  }

  async getRoute(endpoint: string): Promise<RouteRecord | null> {
    const envelope = await this.#get<Binding>(ROUTE + endpoint);
    return envelope === null ? null : { version: Number(envelope.rank[0]), binding: envelope.data };
  }

  putRoute(endpoint: string, record: RouteRecord): Promise<boolean> {
    return this.#put(ROUTE + endpoint, storedRoute(record, Date.now()));
  }

  async getPresence(clientId: number): Promise<PresenceRecord | null> {
    const envelope = await this.#get<Presence>(PRESENCE + clientId);
    if (envelope === null) return null;
    return { generation: Number(envelope.rank[0]), order: Number(envelope.rank[1]), presence: envelope.data };
  }

  putPresence(clientId: number, record: PresenceRecord): Promise<boolean> {
    return this.#put(PRESENCE + clientId, storedPresence(record));
  }

  async getNode(nodeId: string): Promise<NodeAddress | null> {
    return (await this.#get<NodeAddress>(NODE + nodeId))?.data ?? null;
  }

  putNode(node: NodeAddress): Promise<boolean> {
    return this.#put(NODE + node.node_id, storedNode(node.incarnation, node, this.#nodeTtlMs));
  }

  async removeNode(nodeId: string, incarnation: string): Promise<void> {
    await this.#put(NODE + nodeId, storedNode(incarnation, null, this.#nodeTtlMs));
  }

  async resolve(endpoint: string): Promise<FoundAnswer | null> {
    const reply = await this.#breaker.run(() => this.#commands.resolve(ROUTE + endpoint, PRESENCE, NODE));
    if (reply === null) return null;
    const binding = parse<Binding>(reply[0])?.data ?? null;
    if (binding === null) return null;
    const presences = new Map<number, Presence>();
    const nodes = new Map<string, NodeAddress>();
    for (const [index, upstream] of binding.upstreams.entries()) {
      const presence = parse<Presence>(reply[1][index])?.data;
      const node = parse<NodeAddress>(reply[2][index])?.data;
      if (presence) presences.set(upstream.client_id, presence);
      if (node) nodes.set(node.node_id, node);
    }
    const answer = assembleAnswer(
      binding,
      (clientId) => presences.get(clientId) ?? null,
      (nodeId) => nodes.get(nodeId) ?? null,
    );
    return hasPlace(answer) ? answer : null;
  }

  close(): Promise<void> {
    return this.#commands.close();
  }

  async #get<T>(key: string): Promise<Envelope<T> | null> {
    return parse<T>(await this.#breaker.run(() => this.#commands.get(key)));
  }

  async #put(key: string, stored: Stored<unknown>): Promise<boolean> {
    const value = JSON.stringify(stored.envelope);
    return (await this.#breaker.run(() => this.#commands.put(key, value, stored.ttlMs))) === 1;
  }
}

/** Reads an envelope; what somebody else wrote there is a miss. */
function parse<T>(text: string | null | undefined): Envelope<T> | null {
  if (typeof text !== 'string') return null;
  try {
    const envelope = JSON.parse(text) as Envelope<T> | null;
    return Array.isArray(envelope?.rank) ? envelope : null;
  } catch {
    return null;
  }
}
