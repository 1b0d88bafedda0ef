import type { Binding } from '@tunnox/domain/binding';
import type { LookupAnswer } from '@tunnox/domain/lookup';
import type { NodeAddress, Presence } from '@tunnox/domain/presence';

/**
 * The second tier of a look-up: a projection of what the owners (Durable Objects) know. Flushing it loses nothing, and
 * what it does not know is a miss, never a "no".
 *
 * Every write is a compare-and-set on the owner's version, so that a late one never brings back the dead. Every call
 * ends within the store's time-out; while the store is away calls fail at once.
 *
 * All methods throw {@link RouteStoreUnavailable} when the store cannot be reached.
 */
export interface RouteStore {
  /** The record of an endpoint, a tombstone included; null: not known here. */
  getRoute(endpoint: string): Promise<RouteRecord | null>;
  /** @returns false when the store holds a newer record, which stays. */
  putRoute(endpoint: string, record: RouteRecord): Promise<boolean>;
  getPresence(clientId: number): Promise<PresenceRecord | null>;
  /** @returns false when the store holds a newer record, which stays. */
  putPresence(clientId: number, record: PresenceRecord): Promise<boolean>;
  /** The address of a live node; null: not renewed in time, taken away, or not known. */
  getNode(nodeId: string): Promise<NodeAddress | null>;
  /**
   * Writes or renews a node for {@link NODE_TTL_MS}; called by the node itself at a third of that.
   *
   * @returns false when a newer incarnation holds the id, or this one was removed.
   */
  putNode(node: NodeAddress): Promise<boolean>;
  /** Takes a node away at once and keeps it away from renewals of the same or an older incarnation. */
  removeNode(nodeId: string, incarnation: string): Promise<void>;
  /**
   * A route with the places of its upstreams, in one round trip. Null unless the store knows the binding and at least
   * one live upstream: then the owner has to be asked.
   */
  resolve(endpoint: string): Promise<FoundAnswer | null>;
  /** Ends connections and timers. May be called twice. */
  close(): Promise<void>;
}

export type FoundAnswer = Extract<LookupAnswer, { found: true }>;

export interface RouteRecord {
  /** Version of the binding; of a tombstone: higher than the deleted binding's. */
  version: number;
  /** null: a tombstone, the endpoint was deleted. */
  binding: Binding | null;
}

export interface PresenceRecord {
  generation: number;
  /** Rises with every change of the client's place; compared after `generation`. */
  order: number;
  /** null: a tombstone, the client is away. */
  presence: Presence | null;
}

/** The store cannot be reached, or did not answer in time. */
export class RouteStoreUnavailable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RouteStoreUnavailable';
  }
}

/** Life of a node record; a node renews its own. */
export const NODE_TTL_MS = 30_000;

/**
 * Life of routes and presences. Nobody renews them, so this bounds how long a write that the store missed can go
 * unnoticed by those who read it.
 */
export const RECORD_TTL_MS = 600_000;

/** Life of tombstones: longer than any write can be late. */
export const TOMBSTONE_TTL_MS = 3_600_000;
