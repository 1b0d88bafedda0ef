import type { LedgerEntry, LedgerLimits, LedgerShare } from '../services/ledger-ports.ts';
import { isWorthTelling, shareBandwidth, whoWaits } from './ledger-rule.ts';

/** An agent that is gone keeps its places for so long: it is mostly back within a second or two. */
export const PLACE_KEPT_MS = 3000;

/** Relays report use every minute; what is older says nothing about now. */
const USE_LIFE_MS = 90_000;

/** One attached client; as it is stored. */
export interface LedgerClient {
  clientId: number;
  nodeId: string;
  incarnation: string;
  order: number;
  configVersion: number;
  /** Empty while the number of active bindings is not limited. */
  bindings: string[];
  /** Milliseconds since 1970 when it went away; null: it is here. */
  leftAtMs: number | null;
  /** Bindings that its relay knows to be waiting. */
  toldWaiting: string[];
}

/** The rest of what is stored. */
export interface LedgerHead {
  version: number;
  limits: LedgerLimits;
  nextSeat: number;
  /** When each binding came. */
  seats: Record<string, number>;
  /** Bytes a second of each node, as decided. */
  shares: Record<string, number>;
  /** Of those, what each node's relay knows. */
  toldShares: Record<string, number>;
  uses: Record<string, { bytesPerS: number; atMs: number }>;
}

export const EMPTY_HEAD: LedgerHead = {
  version: 0,
  limits: { total_bandwidth_bytes_per_s: null, max_active_mappings: null },
  nextSeat: 1,
  seats: {},
  shares: {},
  toldShares: {},
  uses: {},
};

/**
 * One user's places and shares, without I/O: events go in, and what each client's relay has to be told comes out. Every
 * event may come twice and late.
 */
export class LedgerBook {
  readonly clients: Map<number, LedgerClient>;
  /** Clients that were changed since `takeDirty()`; what is no more in `clients` is gone. */
  readonly #dirty = new Set<number>();
  #head: LedgerHead;
  #waiting: string[];

  constructor(head: LedgerHead, clients: Iterable<LedgerClient>) {
    this.#head = head;
    this.clients = new Map([...clients].map((client) => [client.clientId, client]));
    this.#waiting = whoWaits(head.limits.max_active_mappings, new Map(Object.entries(head.seats)));
  }

  get head(): LedgerHead {
    return this.#head;
  }

  /** Bindings whose turn has not come, in the order in which it will. */
  get waiting(): readonly string[] {
    return this.#waiting;
  }

  /** Nothing is known that would have to be kept. */
  get empty(): boolean {
    return this.clients.size === 0;
  }

  /** Nodes at which the user has clients. */
  get nodes(): Set<string> {
    return new Set(this.#here().map(({ nodeId }) => nodeId));
  }

  /** Clients are attached, or their bindings or limits have changed. */
  admit(entries: readonly LedgerEntry[], nowMs: number): void {
    let changed = false;
    for (const entry of entries) changed = this.#note(entry, nowMs) || changed;
    if (changed) this.settle(nowMs);
  }

  /** A client is no more attached. */
  leave(clientId: number, order: number, nowMs: number): void {
    const known = this.clients.get(clientId);
    if (known === undefined || known.leftAtMs !== null || order < known.order) return;
    this.#put({ ...known, order, leftAtMs: nowMs });
    this.settle(nowMs);
  }

  /** A client was looked for and is not where it was thought to be: it keeps no place. */
  absent(clientId: number, order: number, nowMs: number): void {
    if (this.clients.get(clientId)?.order !== order) return;
    this.#delete(clientId);
    this.settle(nowMs);
  }

  /** How fast the user's tunnels at a node have been, bytes a second. */
  used(nodeId: string, bytesPerS: number, nowMs: number): void {
    this.#head = { ...this.#head, uses: { ...this.#head.uses, [nodeId]: { bytesPerS, atMs: nowMs } } };
    this.settle(nowMs);
  }

  /** Decides. The same state gives the same decision, with the same version. */
  settle(nowMs: number): void {
    for (const { clientId, leftAtMs } of this.clients.values()) {
      if (leftAtMs !== null && nowMs - leftAtMs >= PLACE_KEPT_MS) this.#delete(clientId);
    }
    const seats = this.#nextSeats();
    const waiting = whoWaits(this.#head.limits.max_active_mappings, seats);
    const uses = this.#nextUses(nowMs);
    const shares = this.#nextShares(uses);
    const changed = shares !== this.#head.shares || !isSame(waiting, this.#waiting);
    this.#waiting = waiting;
    this.#head = {
      ...this.#head,
      version: changed ? this.#nextVersion(nowMs) : this.#head.version,
      seats: Object.fromEntries(seats),
      uses: Object.fromEntries(uses),
      shares,
      toldShares: only(this.#head.toldShares, shares),
    };
  }

  /** What was decided about a client that is here. */
  shareOf(clientId: number): LedgerShare | null {
    const client = this.clients.get(clientId);
    if (client === undefined || client.leftAtMs !== null) return null;
    const { version, limits, shares } = this.#head;
    return {
      client_id: clientId,
      version,
      limits,
      bandwidth_bytes_per_s: shares[client.nodeId] ?? limits.total_bandwidth_bytes_per_s,
      waiting_bindings: this.#waitingOf(client),
    };
  }

  /**
   * Clients whose relays do not know the decision, each with whether others wait for it: a share that shrinks is told
   * before those that grow. Of the clients at one node one is enough to bring the share.
   */
  untold(): { clientId: number; first: boolean }[] {
    const { shares, toldShares } = this.#head;
    const nodes = new Map(Object.entries(shares).filter(([node, share]) => toldShares[node] !== share));
    const here = this.#here();
    const waits = here.filter((client) => !isSame(this.#waitingOf(client), client.toldWaiting));
    const bearers = [...waits];
    const brought = new Set(waits.map(({ nodeId }) => nodeId));
    for (const client of here) {
      if (!nodes.has(client.nodeId) || brought.has(client.nodeId)) continue;
      brought.add(client.nodeId);
      bearers.push(client);
    }
    return bearers.map(({ clientId, nodeId }) => {
      const before = toldShares[nodeId] ?? Number.POSITIVE_INFINITY;
      return { clientId, first: (nodes.get(nodeId) ?? before) < before };
    });
  }

  /** The client's relay knows the decision of that version. */
  told(clientId: number, version: number): void {
    const client = this.clients.get(clientId);
    if (client === undefined || client.leftAtMs !== null || version !== this.#head.version) return;
    const waiting = this.#waitingOf(client);
    if (!isSame(waiting, client.toldWaiting)) this.#put({ ...client, toldWaiting: waiting });
    const share = this.#head.shares[client.nodeId];
    if (share === undefined || this.#head.toldShares[client.nodeId] === share) return;
    this.#head = { ...this.#head, toldShares: { ...this.#head.toldShares, [client.nodeId]: share } };
  }

  /** Clients that are thought to be here and have bindings in places that others wait for. */
  holders(): LedgerClient[] {
    const waiting = new Set(this.#waiting);
    return this.#here().filter(({ bindings }) => bindings.some((binding) => !waiting.has(binding)));
  }

  /**
   * When somebody who is gone has to be forgotten, because others wait for the place or nobody is left; milliseconds since
   * 1970.
   */
  nextForgottenAtMs(): number | null {
    if (this.#waiting.length === 0 && this.nodes.size > 0) return null;
    const left = [...this.clients.values()].flatMap(({ leftAtMs }) => (leftAtMs === null ? [] : [leftAtMs]));
    return left.length === 0 ? null : Math.min(...left) + PLACE_KEPT_MS;
  }

  /** Ids of clients to be stored or, if they are gone, removed. */
  takeDirty(): number[] {
    const ids = [...this.#dirty];
    this.#dirty.clear();
    return ids;
  }

  /** @returns Whether anything is to be decided anew. */
  #note(entry: LedgerEntry, nowMs: number): boolean {
    const known = this.clients.get(entry.client_id);
    const { node_id: nodeId, incarnation, order } = entry;
    if (known !== undefined && (order < known.order || (order === known.order && known.leftAtMs !== null)))
      return false;
    // Reads of Postgres can overtake each other on their way.
    const newer = known === undefined || entry.config_version >= known.configVersion;
    const limited = newer && this.#setLimits(entry.limits, nowMs);
    const counted = this.#head.limits.max_active_mappings !== null;
    const client = {
      ...{ clientId: entry.client_id, nodeId, incarnation, order, leftAtMs: null },
      configVersion: newer ? entry.config_version : known.configVersion,
      bindings: counted ? (newer ? entry.bindings : known.bindings) : [],
      toldWaiting: known?.toldWaiting ?? [],
    };
    this.#put(client);
    const same = known?.nodeId === nodeId && known.leftAtMs === null && isSame(known.bindings, client.bindings);
    return limited || !same;
  }

  #here(): LedgerClient[] {
    return [...this.clients.values()].filter(({ leftAtMs }) => leftAtMs === null);
  }

  /** Rises also when everything was forgotten in between. */
  #nextVersion(nowMs: number): number {
    return Math.max(this.#head.version + 1, nowMs);
  }

  #waitingOf({ bindings }: LedgerClient): string[] {
    if (this.#waiting.length === 0) return [];
    const waiting = new Set(this.#waiting);
    return bindings.filter((binding) => waiting.has(binding)).sort();
  }

  /** @returns Whether they are others than before. */
  #setLimits(limits: LedgerLimits, nowMs: number): boolean {
    const { limits: before } = this.#head;
    const same =
      before.max_active_mappings === limits.max_active_mappings &&
      before.total_bandwidth_bytes_per_s === limits.total_bandwidth_bytes_per_s;
    // Relays know the shares of another limit: none of them counts.
    if (!same) this.#head = { ...this.#head, limits, version: this.#nextVersion(nowMs), shares: {}, toldShares: {} };
    return !same;
  }

  /** A binding has its seat from when the first of its clients came until the last has gone. */
  #nextSeats(): Map<string, number> {
    const seats = new Map<string, number>();
    if (this.#head.limits.max_active_mappings === null) return seats;
    let { nextSeat } = this.#head;
    for (const { bindings } of this.clients.values()) {
      for (const binding of bindings) {
        if (!seats.has(binding)) seats.set(binding, this.#head.seats[binding] ?? nextSeat++);
      }
    }
    this.#head = { ...this.#head, nextSeat };
    return seats;
  }

  #nextUses(nowMs: number): Map<string, { bytesPerS: number; atMs: number }> {
    const nodes = this.nodes;
    return new Map(
      Object.entries(this.#head.uses).filter(([node, { atMs }]) => nodes.has(node) && nowMs - atMs < USE_LIFE_MS),
    );
  }

  /** The shares that are in force, as the same object unless others are worth telling. */
  #nextShares(uses: ReadonlyMap<string, { bytesPerS: number }>): Record<string, number> {
    const { limits, shares } = this.#head;
    const limit = limits.total_bandwidth_bytes_per_s;
    const nodes = limit === null ? [] : [...this.nodes];
    const next = shareBandwidth(limit ?? 0, new Map(nodes.map((node) => [node, uses.get(node)?.bytesPerS ?? 0])));
    return isWorthTelling(new Map(Object.entries(shares)), next) ? Object.fromEntries(next) : shares;
  }

  #put(client: LedgerClient): void {
    this.clients.set(client.clientId, client);
    this.#dirty.add(client.clientId);
  }

  #delete(clientId: number): void {
    this.clients.delete(clientId);
    this.#dirty.add(clientId);
  }
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one, index) => one === b[index]);
}

/** Entries of `record` whose keys are in `kept`. */
function only(record: Record<string, number>, kept: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(record).filter(([key]) => kept[key] !== undefined));
}
