import { DurableObject } from 'cloudflare:workers';
import type { Env } from '../env.ts';
import { clientPresenceStub } from '../repositories/object-stubs.ts';
import type { LedgerEntry, LedgerShare } from '../services/ledger-ports.ts';
import { isUnlimited } from '../services/policy-share.ts';
import { EMPTY_HEAD, LedgerBook, type LedgerClient, type LedgerHead } from './ledger-book.ts';
import { objectServices } from './object-services.ts';
import { storedState, type StoredState } from './object-state.ts';

const SCHEMA_VERSION = 1;

/** When somebody could not be told, it is tried again after this time. */
const TELL_RETRY_MS = 5000;
const TELL_AT_ONCE = 50;

/** So many of those who hold places are looked for at once; each time others, if there are more. */
const CHECK_MAX = 100;

/** Newcomers that find no place do not make those who hold them be looked for more often than this. */
const CHECK_PAUSE_MS = 1000;

/** A user at several relays: one that died without a word gives its share back at last. */
const NODES_CHECK_MS = 600_000;

/** Owner of a user's limits over the whole cluster: which bindings are active, and each relay's share of bandwidth. */
export class UsageLedger extends DurableObject<Env> {
  readonly #head: StoredState<LedgerHead>;
  #book: LedgerBook;
  #toldVersion = 0;
  #telling = false;
  #checkedAtMs = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#head = storedState(ctx.storage, SCHEMA_VERSION, EMPTY_HEAD);
    ctx.storage.sql.exec('create table if not exists clients (client_id integer primary key, body text not null)');
    const rows = ctx.storage.sql.exec<{ body: string }>('select body from clients order by rowid').toArray();
    this.#book = new LedgerBook(
      this.#head.load(),
      rows.map(({ body }) => JSON.parse(body) as LedgerClient),
    );
  }

  /** Clients are attached, or were changed. @returns What each may have. */
  async admit(entries: LedgerEntry[]): Promise<LedgerShare[]> {
    this.#book.admit(entries, Date.now());
    // A place that nobody holds any more must not be missing to somebody who needs one.
    if (this.#book.waiting.length > 0 && Date.now() - this.#checkedAtMs >= CHECK_PAUSE_MS) await this.#checkHolders();
    const shares = entries.flatMap(({ client_id }) => this.#book.shareOf(client_id) ?? []);
    for (const { client_id, version } of shares) this.#book.told(client_id, version);
    await this.#save();
    return shares;
  }

  /** A client is no more attached. */
  async leave(clientId: number, order: number): Promise<void> {
    this.#book.leave(clientId, order, Date.now());
    await this.#save();
  }

  /** How fast the user's tunnels at a node have been. */
  async used(nodeId: string, bytesPerS: number): Promise<void> {
    if (!this.#book.nodes.has(nodeId)) return;
    this.#book.used(nodeId, bytesPerS, Date.now());
    await this.#save();
  }

  /** Bindings that are not active because others have the places. */
  waiting(): string[] {
    return [...this.#book.waiting];
  }

  override async alarm(): Promise<void> {
    this.#toldVersion = 0;
    this.#book.settle(Date.now());
    if (this.#book.waiting.length > 0 || this.#book.nodes.size > 1) await this.#checkHolders();
    await this.#save();
  }

  /** Asks the owners of the presences whether those who hold places, or keep a relay's share, are still there. */
  async #checkHolders(): Promise<void> {
    this.#checkedAtMs = Date.now();
    const held = this.#book.waiting.length > 0 ? this.#book.holders() : [...this.#book.clients.values()];
    const asked = sample(
      held.filter(({ leftAtMs }) => leftAtMs === null),
      CHECK_MAX,
    );
    if (asked.length === 0) return;
    try {
      const present = await objectServices(this.env).presences.read(asked.map(({ clientId }) => clientId));
      for (const { clientId, order } of asked) {
        if (!present.has(clientId)) this.#book.absent(clientId, order, Date.now());
      }
    } catch {
      // Who cannot be asked is thought to be there: the alarm asks again.
    }
  }

  /** Stores what was changed, tells relays in the background, and sets the alarm for what comes next. */
  async #save(): Promise<void> {
    if (this.#book.empty || isUnlimited(this.#book.head.limits)) {
      this.#book = new LedgerBook(EMPTY_HEAD, []);
      this.ctx.storage.sql.exec('delete from clients');
    }
    this.#store();
    if (this.#toldVersion !== this.#book.head.version) this.ctx.waitUntil(this.#tell());
    await this.#setAlarm();
  }

  #store(): void {
    const { sql } = this.ctx.storage;
    for (const clientId of this.#book.takeDirty()) {
      const client = this.#book.clients.get(clientId);
      sql.exec('delete from clients where client_id = ?', clientId);
      if (client === undefined) continue;
      sql.exec('insert into clients (client_id, body) values (?, ?)', clientId, JSON.stringify(client));
    }
    if (this.#head.load() !== this.#book.head) this.#head.save(this.#book.head);
  }

  /** Tells relays by the clients' presences, until all know what was decided last or nobody can be told. */
  async #tell(): Promise<void> {
    if (this.#telling) return;
    this.#telling = true;
    const failed = new Set<number>();
    try {
      for (;;) {
        const { version } = this.#book.head;
        const untold = this.#book.untold();
        if (untold.length === 0) this.#toldVersion = version;
        const able = untold.filter(({ clientId }) => !failed.has(clientId));
        if (able.length === 0) return;
        const first = able.filter((one) => one.first);
        const some = (first.length > 0 ? first : able).slice(0, TELL_AT_ONCE);
        await Promise.all(
          some.map(async ({ clientId }) => {
            if (!(await this.#tellOne(clientId))) failed.add(clientId);
          }),
        );
        this.#store();
      }
    } finally {
      this.#telling = false;
      await this.#setAlarm();
    }
  }

  /** @returns false when its presence cannot be reached now. */
  async #tellOne(clientId: number): Promise<boolean> {
    const share = this.#book.shareOf(clientId);
    const order = this.#book.clients.get(clientId)?.order ?? 0;
    if (share === null) return true;
    try {
      const here = await clientPresenceStub(this.env, clientId).takeShare(share);
      if (here) this.#book.told(clientId, share.version);
      else this.#book.leave(clientId, order, Date.now());
      return true;
    } catch {
      return false;
    }
  }

  async #setAlarm(): Promise<void> {
    const next = this.#nextAtMs(Date.now());
    const { storage } = this.ctx;
    const set = await storage.getAlarm();
    if (next === null) {
      if (set !== null) await storage.deleteAlarm();
    } else if (set === null || set > next) {
      await storage.setAlarm(next);
    }
  }

  /** When there is something to do though nothing happens; null: never. */
  #nextAtMs(nowMs: number): number | null {
    const book = this.#book;
    if (book.empty) return null;
    const times: number[] = [];
    if (this.#toldVersion !== book.head.version) times.push(nowMs + TELL_RETRY_MS);
    // A relay that died without a word is known to be dead after its lease.
    if (book.waiting.length > 0) times.push(nowMs + objectServices(this.env).leaseMs / 2);
    if (book.nodes.size > 1) times.push(nowMs + NODES_CHECK_MS);
    const forgotten = book.nextForgottenAtMs();
    if (forgotten !== null) times.push(Math.max(forgotten, nowMs));
    return times.length === 0 ? null : Math.min(...times);
  }
}

/** Up to `count` of the items, each time others. */
function sample<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  const from = Math.floor(Math.random() * items.length);
  return [...items.slice(from), ...items.slice(0, from)].slice(0, count);
}
