import { DurableObject } from 'cloudflare:workers';
import type { NodeAddress } from '@tunnox/domain/presence';
import { type RelayToNodeMessage, relayMessageSchema } from '@tunnox/domain/relay-api';
import type { Env } from '../env.ts';
import { clientPresenceStub } from '../repositories/object-stubs.ts';
import type { NodeProfile } from '../services/live-ports.ts';
import { randomBytes } from '../services/random.ts';
import { MessageQueue, type UnsentMessage } from './message-queue.ts';
import { NodeReporter } from './node-reporter.ts';
import { CLOSE, NodeSockets } from './node-sockets.ts';
import { addressOf, leaseEndsAt, type NodeState, registered, withStatus } from './node-state.ts';
import { objectServices } from './object-services.ts';
import { storedState, type StoredState } from './object-state.ts';

const SCHEMA_VERSION = 1;
const MESSAGES_MAX = 1000;

/** Frames of a relay are small; the largest is a report of many problems. */
const FRAME_LENGTH_MAX = 1_048_576;

/** When the directory or Postgres could not be told, they are told again after this time. */
const REPORT_RETRY_MS = 5000;

/** Signs of life that come faster than this are not stored one by one. */
const SEEN_RESOLUTION_MS = 1000;

/** Owner of one relay's liveness: its current incarnation, its lease, its session and the messages to it. */
export class RelayNode extends DurableObject<Env> {
  readonly #state: StoredState<NodeState | null>;
  readonly #queue: MessageQueue;
  readonly #sockets: NodeSockets;
  readonly #reporter: NodeReporter;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#state = storedState<NodeState | null>(ctx.storage, SCHEMA_VERSION, null);
    this.#queue = new MessageQueue(ctx.storage.sql, { messagesMax: MESSAGES_MAX });
    this.#sockets = new NodeSockets(ctx);
    this.#reporter = new NodeReporter(env, this.#state);
    ctx.storage.sql.exec('create table if not exists clients (client_id integer primary key)');
    this.#outliveRestart();
  }

  /** Begins a new incarnation; the session of the one before is told and closed. @returns The new incarnation. */
  async register(profile: NodeProfile): Promise<string> {
    const held = this.#state.load();
    if (held !== null) {
      this.#sockets.send(held.incarnation, JSON.stringify({ type: 'superseded', seq: 0 }));
      this.#sockets.close(held.incarnation, CLOSE.superseded);
    }
    const state = registered(held, profile, Date.now(), randomBytes(16));
    this.#queue.reset();
    this.ctx.storage.sql.exec('delete from clients');
    await this.#change(state);
    return state.incarnation;
  }

  /** A call of the relay with its token: a sign of life. @returns false when the incarnation is not the current one. */
  touch(incarnation: string): boolean {
    const state = this.#living(incarnation);
    const now = Date.now();
    if (state !== null && now - state.lastSeenAt > SEEN_RESOLUTION_MS) this.#state.save({ ...state, lastSeenAt: now });
    return this.#state.load()?.incarnation === incarnation;
  }

  /** The address of the node while this incarnation lives; null otherwise. */
  locate(incarnation: string): NodeAddress | null {
    const state = this.#living(incarnation);
    return state === null ? null : addressOf(state);
  }

  /** Queues a message to the relay and sends it if its session is open. @returns false when it does not live. */
  push(incarnation: string, message: UnsentMessage): boolean {
    if (this.#living(incarnation) === null) return false;
    this.#send(incarnation, message);
    return true;
  }

  /** Tells the relay to go; its visitors and agents are others' from now on. @returns false when it does not live. */
  async drain(deadlineMs: number): Promise<boolean> {
    const state = this.#living(this.#state.load()?.incarnation);
    if (state === null) return false;
    this.#send(state.incarnation, { type: 'drain', deadline_ms: deadlineMs });
    await this.#change({ ...withStatus(state, 'draining'), draining: true });
    return true;
  }

  /** The relay goes by itself, and wants everybody to know before it does. */
  async withdraw(incarnation: string): Promise<void> {
    const state = this.#living(incarnation);
    if (state !== null) await this.#change({ ...withStatus(state, 'draining'), draining: true });
  }

  /** Forgets an offline node: what it still has of ours counts no more. @returns false when it lives. */
  async forget(): Promise<boolean> {
    if (this.#living(this.#state.load()?.incarnation) !== null) return false;
    this.#state.save(null);
    this.#queue.reset();
    this.ctx.storage.sql.exec('delete from clients');
    await this.ctx.storage.deleteAlarm();
    return true;
  }

  /** Clients that were attached to or detached from this incarnation; a hint, the clients' objects know. */
  noteClients(incarnation: string, attached: number[], detached: number[]): void {
    if (this.#state.load()?.incarnation !== incarnation) return;
    const { sql } = this.ctx.storage;
    for (const clientId of detached) sql.exec('delete from clients where client_id = ?', clientId);
    for (const clientId of attached) sql.exec('insert or ignore into clients (client_id) values (?)', clientId);
  }

  /** Clients that may be attached here. */
  notedClients(): number[] {
    const rows = this.ctx.storage.sql.exec<{ client_id: number }>('select client_id from clients order by client_id');
    return rows.toArray().map((row) => row.client_id);
  }

  /** Ends the lease if it is over and tells others what they have not been told: by alarm, or when one was lost. */
  async settle(): Promise<void> {
    this.#living(this.#state.load()?.incarnation);
    const state = this.#state.load();
    if (state !== null) await this.#change(state);
  }

  override async alarm(): Promise<void> {
    await this.settle();
  }

  /** The session WebSocket. The Worker has verified the token and says in the query whose it is. */
  override async fetch(request: Request): Promise<Response> {
    const { searchParams } = new URL(request.url);
    const incarnation = searchParams.get('incarnation') ?? '';
    const wasAway = this.#living(incarnation) === null;
    const state = this.#state.load();
    if (state?.incarnation !== incarnation) return new Response(null, { status: 401 });
    this.#sockets.close(incarnation, CLOSE.newerSession);
    const { client, server } = this.#sockets.accept(incarnation);
    const replay = this.#queue.replay(Number(searchParams.get('last_seq')));
    for (const message of replay.messages) server.send(message);
    // After a lost lease others may hold its clients' places: it has to announce them.
    if (replay.resync || wasAway) server.send(JSON.stringify({ type: 'resync' }));
    const here = { ...state, inSession: true, lastSeenAt: Date.now(), lostAt: null };
    await this.#change(withStatus(here, state.draining ? 'draining' : 'online'));
    return new Response(null, { status: 101, webSocket: client });
  }

  override async webSocketMessage(socket: WebSocket, data: string | ArrayBuffer): Promise<void> {
    const message = typeof data === 'string' && data.length <= FRAME_LENGTH_MAX ? parse(data) : null;
    if (message === null) {
      socket.close(...CLOSE.malformed);
      return;
    }
    const state = this.#state.load();
    if (state === null || !this.#sockets.belongs(socket, state.incarnation)) return;
    await this.#handle({ ...state, lastSeenAt: Date.now() }, message);
  }

  override async webSocketClose(socket: WebSocket, code: number): Promise<void> {
    // The lease goes on: a session that is lost may come back within it.
    const state = this.#state.load();
    if (state !== null && this.#sockets.belongs(socket, state.incarnation)) {
      const lastSeenAt = Math.max(state.lastSeenAt, this.#sockets.heartbeatOf(socket));
      this.#state.save({ ...state, lastSeenAt, inSession: this.#sockets.hasOpen(state.incarnation) });
    }
    // 1005 and 1006 say that there was no code; they cannot be sent.
    socket.close(code === 1005 || code === 1006 ? 1000 : code);
  }

  async #handle(state: NodeState, message: RelayToNodeMessage): Promise<void> {
    const { incarnation } = state;
    switch (message.type) {
      case 'ack':
        this.#queue.acknowledge(message.seq);
        return;
      case 'config_applied': {
        const { client_id, version, problems } = message;
        const report = { client_id, node_id: state.profile.node_id, incarnation, version, problems };
        await clientPresenceStub(this.env, client_id).configApplied(report);
        return;
      }
      case 'load': {
        const { type: _type, ...load } = message;
        this.#state.save({ ...state, load });
        // For people to look at; the next one comes in a minute.
        await objectServices(this.env)
          .nodes.saveLoad({ ...state, load })
          .catch(() => {});
        return;
      }
      case 'draining':
        return this.#change({ ...withStatus(state, 'draining'), draining: true });
      case 'leaving': {
        await this.#change({ ...withStatus(state, 'offline'), lostAt: null });
        const { store } = objectServices(this.env);
        await store?.removeNode(state.profile.node_id, incarnation).catch(() => {});
      }
    }
  }

  /**
   * A deployment or a crash takes the sockets away, and with them the heartbeats, without a word. The lease begins anew
   * then, once: relays need a moment to come back.
   */
  #outliveRestart(): void {
    const state = this.#state.load();
    if (state?.inSession !== true || this.#sockets.hasOpen(state.incarnation)) return;
    this.#state.save({ ...state, inSession: false, lastSeenAt: Date.now() });
  }

  /**
   * The state while this incarnation lives; null otherwise. A lease that is over ends here, for good: once somebody was
   * told so, a late heartbeat must not undo it.
   */
  #living(incarnation: string | undefined): NodeState | null {
    const state = this.#state.load();
    if (state === null || state.incarnation !== incarnation || state.status === 'offline') return null;
    if (Date.now() < this.#leaseEndsAt(state)) return state;
    const lastSeenAt = Math.max(state.lastSeenAt, this.#sockets.seenAt(state.incarnation));
    this.#sockets.close(incarnation, CLOSE.leaseEnded);
    // Who is draining or has not begun to serve takes nothing away.
    const lostAt = state.status === 'online' ? Date.now() : null;
    const offline = withStatus({ ...state, lastSeenAt, lostAt }, 'offline');
    this.#state.save(offline);
    this.ctx.waitUntil(this.#change(offline));
    return null;
  }

  #leaseEndsAt(state: NodeState): number {
    return leaseEndsAt(state, this.#sockets.seenAt(state.incarnation), objectServices(this.env).leaseMs);
  }

  #send(incarnation: string, message: UnsentMessage): void {
    this.#sockets.send(incarnation, this.#queue.add(message));
  }

  /** Stores the state, tells the directory and Postgres what changed, and sets the alarm for what comes next. */
  async #change(state: NodeState): Promise<void> {
    this.#state.save(state);
    // First: an object that ends while it tells is woken to go on.
    if (!state.reported) await this.ctx.storage.setAlarm(Date.now() + REPORT_RETRY_MS);
    await this.#reporter.report();
    const current = this.#state.load() ?? state;
    if (!current.reported) await this.ctx.storage.setAlarm(Date.now() + REPORT_RETRY_MS);
    else if (current.status !== 'offline') await this.ctx.storage.setAlarm(this.#leaseEndsAt(current));
  }
}

function parse(text: string): RelayToNodeMessage | null {
  try {
    return relayMessageSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
