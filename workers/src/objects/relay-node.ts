import { DurableObject } from 'cloudflare:workers';
import type { NodeAddress } from '@tunnox/domain/presence';
import { type RelayToNodeMessage, relayMessageSchema } from '@tunnox/domain/relay-api';
import type { Env } from '../env.ts';
import { clientPresenceStub, nodeDirectoryStub } from '../repositories/object-stubs.ts';
import type { NodeProfile } from '../services/live-ports.ts';
import { randomBytes } from '../services/random.ts';
import { MessageQueue, type UnsentMessage } from './message-queue.ts';
import { addressOf, leaseEndsAt, type NodeState, registered, withStatus } from './node-state.ts';
import { objectServices } from './object-services.ts';
import { storedState, type StoredState } from './object-state.ts';

const SCHEMA_VERSION = 1;
const MESSAGES_MAX = 1000;

/** Frames of a relay are small; the largest is a report of many problems. */
const FRAME_LENGTH_MAX = 1_048_576;

/** When the directory or Postgres could not be told, they are told again after this time. */
const REPORT_RETRY_MS = 5000;

/** Close codes of the session socket (4000–4999: private use, RFC 6455). */
const CLOSE_NEWER_SESSION = 4000;
const CLOSE_SUPERSEDED = 4001;
const CLOSE_MALFORMED = 4002;
const CLOSE_LEASE_ENDED = 4003;

/** Signs of life that come faster than this are not stored one by one. */
const SEEN_RESOLUTION_MS = 1000;

/** Owner of one relay's liveness: its current incarnation, its lease, its session and the messages to it. */
export class RelayNode extends DurableObject<Env> {
  readonly #state: StoredState<NodeState | null>;
  readonly #queue: MessageQueue;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#state = storedState<NodeState | null>(ctx.storage, SCHEMA_VERSION, null);
    this.#queue = new MessageQueue(ctx.storage.sql, { messagesMax: MESSAGES_MAX });
    ctx.storage.sql.exec('create table if not exists clients (client_id integer primary key)');
    // Heartbeats are answered by the platform, so they neither wake the object nor cost a request.
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'));
  }

  /** Begins a new incarnation; the session of the one before is told and closed. @returns The new incarnation. */
  async register(profile: NodeProfile): Promise<string> {
    const held = this.#state.load();
    const superseded = JSON.stringify({ type: 'superseded', seq: 0 });
    for (const socket of this.#sockets(held)) socket.send(superseded);
    this.#closeSockets(held, CLOSE_SUPERSEDED, 'a newer incarnation is registered');
    const state = registered(held, profile, Date.now(), randomBytes(16));
    this.#queue.reset();
    this.ctx.storage.sql.exec('delete from clients');
    await this.#change(state);
    return state.incarnation;
  }

  /** A call of the relay with its token: a sign of life. @returns false when the incarnation is not the current one. */
  touch(incarnation: string): boolean {
    const state = this.#state.load();
    if (state?.incarnation !== incarnation) return false;
    const now = Date.now();
    if (this.#lives(state, incarnation) && now - state.lastSeenAt > SEEN_RESOLUTION_MS) {
      this.#state.save({ ...state, lastSeenAt: now });
    }
    return true;
  }

  /** The address of the node while this incarnation lives; null otherwise. */
  locate(incarnation: string): NodeAddress | null {
    const state = this.#state.load();
    return state !== null && this.#lives(state, incarnation) ? addressOf(state) : null;
  }

  /** Queues a message to the relay and sends it if its session is open. @returns false when it does not live. */
  push(incarnation: string, message: UnsentMessage): boolean {
    const state = this.#state.load();
    if (state === null || !this.#lives(state, incarnation)) return false;
    this.#send(message);
    return true;
  }

  /** Tells the relay to go; its visitors and agents are others' from now on. @returns false when it does not live. */
  async drain(deadlineMs: number): Promise<boolean> {
    const state = this.#state.load();
    if (state === null || !this.#lives(state, state.incarnation)) return false;
    this.#send({ type: 'drain', deadline_ms: deadlineMs });
    await this.#change({ ...withStatus(state, 'draining'), draining: true });
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

  /** Ends the lease if it is over and tells others what they have not been told: for alarms that were lost. */
  async settle(): Promise<void> {
    const state = this.#state.load();
    if (state === null) return;
    const over = state.status !== 'offline' && !this.#lives(state, state.incarnation);
    // A frozen relay that thaws has to begin a new session, in which it learns that it was away.
    if (over) this.#closeSockets(state, CLOSE_LEASE_ENDED, 'the lease has ended');
    await this.#change(over ? withStatus(state, 'offline') : state);
  }

  /** The session WebSocket. The Worker has verified the token and says in the query whose it is. */
  override async fetch(request: Request): Promise<Response> {
    const { searchParams } = new URL(request.url);
    const state = this.#state.load();
    if (state === null || state.incarnation !== searchParams.get('incarnation')) {
      return new Response(null, { status: 401 });
    }
    const wasAway = !this.#lives(state, state.incarnation);
    this.#closeSockets(state, CLOSE_NEWER_SESSION, 'a newer session is open');
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server, [state.incarnation]);
    const replay = this.#queue.replay(Number(searchParams.get('last_seq')));
    for (const message of replay.messages) server.send(message);
    // After a lost lease others may hold its clients' places: it has to announce them.
    if (replay.resync || wasAway) server.send(JSON.stringify({ type: 'resync' }));
    const seen = { ...state, lastSeenAt: Date.now() };
    await this.#change(withStatus(seen, state.draining ? 'draining' : 'online'));
    return new Response(null, { status: 101, webSocket: client });
  }

  override async webSocketMessage(socket: WebSocket, data: string | ArrayBuffer): Promise<void> {
    const message = typeof data === 'string' && data.length <= FRAME_LENGTH_MAX ? parse(data) : null;
    if (message === null) {
      socket.close(CLOSE_MALFORMED, 'the message cannot be read');
      return;
    }
    const state = this.#state.load();
    if (state !== null && this.ctx.getTags(socket).includes(state.incarnation)) await this.#handle(state, message);
  }

  override async webSocketClose(socket: WebSocket, code: number): Promise<void> {
    // The lease goes on: a session that is lost may come back within it.
    const state = this.#state.load();
    const seenAt = this.ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0;
    if (state !== null && seenAt > state.lastSeenAt) this.#state.save({ ...state, lastSeenAt: seenAt });
    socket.close(code === 1005 || code === 1006 ? 1000 : code);
  }

  override async alarm(): Promise<void> {
    await this.settle();
  }

  async #handle(held: NodeState, message: RelayToNodeMessage): Promise<void> {
    const state = { ...held, lastSeenAt: Date.now() };
    switch (message.type) {
      case 'ack':
        this.#queue.acknowledge(message.seq);
        this.#state.save(state);
        return;
      case 'config_applied': {
        const { client_id, version, problems } = message;
        const { incarnation } = state;
        const report = { client_id, node_id: state.profile.node_id, incarnation, version, problems };
        await clientPresenceStub(this.env, client_id).configApplied(report);
        return;
      }
      case 'load': {
        const { type: _type, ...load } = message;
        this.#state.save({ ...state, load });
        await objectServices(this.env).nodes.save({ ...state, load });
        return;
      }
      case 'draining':
        return this.#change({ ...withStatus(state, 'draining'), draining: true });
      case 'leaving': {
        await this.#change(withStatus(state, 'offline'));
        const { store } = objectServices(this.env);
        await store?.removeNode(state.profile.node_id, state.incarnation).catch(() => {});
      }
    }
  }

  #lives(state: NodeState, incarnation: string): boolean {
    return state.incarnation === incarnation && state.status !== 'offline' && Date.now() < this.#leaseEndsAt(state);
  }

  #leaseEndsAt(state: NodeState): number {
    const seen = this.#sockets(state).map((socket) => this.ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0);
    return leaseEndsAt(state, Math.max(0, ...seen), objectServices(this.env).leaseMs);
  }

  #send(message: UnsentMessage): void {
    const text = this.#queue.add(message);
    for (const socket of this.#sockets(this.#state.load())) socket.send(text);
  }

  /** Open sockets of the current incarnation. */
  #sockets(state: NodeState | null): WebSocket[] {
    if (state === null) return [];
    return this.ctx.getWebSockets(state.incarnation).filter((socket) => socket.readyState === WebSocket.OPEN);
  }

  #closeSockets(state: NodeState | null, code: number, reason: string): void {
    for (const socket of this.#sockets(state)) socket.close(code, reason);
  }

  /** Stores the state, tells the directory and Postgres what changed, and sets the alarm for what comes next. */
  async #change(state: NodeState): Promise<void> {
    this.#state.save(state);
    if (!state.reported) await this.#report(state);
    const current = this.#state.load() ?? state;
    if (!current.reported) await this.ctx.storage.setAlarm(Date.now() + REPORT_RETRY_MS);
    else if (current.status !== 'offline') await this.ctx.storage.setAlarm(this.#leaseEndsAt(current));
  }

  async #report(state: NodeState): Promise<void> {
    try {
      await nodeDirectoryStub(this.env).report(addressOf(state));
      await objectServices(this.env).nodes.save(state);
    } catch {
      return;
    }
    const current = this.#state.load();
    if (current?.incarnation !== state.incarnation || current.status !== state.status) return;
    this.#state.save({ ...current, reported: true });
  }
}

function parse(text: string): RelayToNodeMessage | null {
  try {
    return relayMessageSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
