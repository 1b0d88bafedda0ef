import { type NodeMessage, nodeMessageSchema, type RelayToNodeMessage } from '@tunnox/domain/relay-api';
import type { Logger } from '@tunnox/observability/logger';
import { WebSocket } from 'ws';
import type { Clock, Timer } from '../clock.ts';
import { Backoff } from './backoff.ts';

export interface NodeSessionDeps {
  clock: Clock;
  /** 0 (included) to 1. */
  random: () => number;
  log: Logger;
  /** The present bearer token. */
  token: () => string;
}

export interface NodeSessionOptions {
  /** `http://…` or `https://…`, without a trailing slash. */
  baseUrl: string;
  incarnation: string;
  /** PEM of all authorities to trust; null: the system's. */
  ca: readonly string[] | null;
}

export interface NodeSessionHandlers {
  /** In the order of the control plane, each once. */
  message: (message: NodeMessage) => void;
  opened: () => void;
  /** The token or the incarnation is not accepted. */
  unauthorized: () => void;
}

const PING_MS = 10_000;
const HANDSHAKE_TIMEOUT_MS = 10_000;
const BACKOFF = { firstMs: 500, maxMs: 10_000 };
/** A policy of a client with a thousand bindings takes a third of it. */
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;
const UNSENT_BYTES_MAX = 1024 * 1024;
/** Close code of the control plane: a newer incarnation of this node is registered. */
const CLOSE_SUPERSEDED = 4001;

type State =
  | { kind: 'stopped' }
  | { kind: 'waiting'; timer: Timer }
  | { kind: 'connecting'; socket: WebSocket }
  | { kind: 'open'; socket: WebSocket; ping: Timer; heard: boolean };

/**
 * The session WebSocket to this relay's node object. It reconnects for ever with jitter and resumes behind the last
 * message that was handled.
 */
export class NodeSession {
  readonly #deps: NodeSessionDeps;
  readonly #options: NodeSessionOptions;
  readonly #handlers: NodeSessionHandlers;
  readonly #backoff: Backoff;
  #state: State = { kind: 'stopped' };
  #lastSeq = 0;

  constructor(deps: NodeSessionDeps, options: NodeSessionOptions, handlers: NodeSessionHandlers) {
    this.#deps = deps;
    this.#options = options;
    this.#handlers = handlers;
    this.#backoff = new Backoff(deps.random, BACKOFF);
  }

  get open(): boolean {
    return this.#state.kind === 'open';
  }

  /** More waits to be sent than a control plane that listens leaves waiting: what can wait had better. */
  get congested(): boolean {
    return this.#state.kind === 'open' && this.#state.socket.bufferedAmount > UNSENT_BYTES_MAX;
  }

  start(): void {
    if (this.#state.kind === 'stopped') this.#connect();
  }

  /** Ends the session; what was sent before goes out. */
  stop(): void {
    const state = this.#state;
    this.#state = { kind: 'stopped' };
    if (state.kind === 'waiting') state.timer.cancel();
    if (state.kind === 'open') {
      state.ping.cancel();
      state.socket.close(1000);
    }
    if (state.kind === 'connecting') state.socket.terminate();
  }

  /** @returns false when the session is not open: nothing was sent */
  send(message: RelayToNodeMessage): boolean {
    if (this.#state.kind !== 'open') return false;
    this.#state.socket.send(JSON.stringify(message));
    return true;
  }

  #connect(): void {
    const { baseUrl, incarnation, ca } = this.#options;
    const url = new URL(`${baseUrl.replace(/^http/, 'ws')}/relay/v1/session`);
    url.searchParams.set('incarnation', incarnation);
    url.searchParams.set('last_seq', String(this.#lastSeq));
    const socket = new WebSocket(url, {
      headers: { authorization: `Bearer ${this.#deps.token()}` },
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      maxPayload: MESSAGE_BYTES_MAX,
      perMessageDeflate: false,
      ...(ca === null ? {} : { ca: [...ca] }),
    });
    this.#state = { kind: 'connecting', socket };
    socket.on('open', () => this.#opened(socket));
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (!isBinary) this.#heard(socket, data.toString());
    });
    socket.on('unexpected-response', (request, response) => {
      request.destroy();
      if (response.statusCode === 401 && this.#holds(socket)) this.#handlers.unauthorized();
      this.#lost(socket, `answered ${response.statusCode}`);
    });
    socket.on('error', (error) => this.#lost(socket, error.message));
    socket.on('close', (code) => {
      if (code === CLOSE_SUPERSEDED && this.#holds(socket)) this.#handlers.unauthorized();
      this.#lost(socket, `closed with code ${code}`);
    });
  }

  #holds(socket: WebSocket): boolean {
    return (this.#state.kind === 'connecting' || this.#state.kind === 'open') && this.#state.socket === socket;
  }

  #opened(socket: WebSocket): void {
    if (!this.#holds(socket)) return;
    this.#backoff.reset();
    this.#deps.log.info({ last_seq: this.#lastSeq }, 'The session with the control plane is open');
    this.#state = { kind: 'open', socket, ping: this.#pingLater(socket), heard: true };
    // The first ping tells at once that the incarnation lives.
    socket.send('ping');
    this.#handlers.opened();
  }

  #pingLater(socket: WebSocket): Timer {
    return this.#deps.clock.timer(PING_MS, () => {
      if (this.#state.kind !== 'open' || this.#state.socket !== socket) return;
      if (!this.#state.heard) {
        socket.terminate();
        this.#lost(socket, 'no answer to a ping');
        return;
      }
      socket.send('ping');
      this.#state = { kind: 'open', socket, ping: this.#pingLater(socket), heard: false };
    });
  }

  #heard(socket: WebSocket, text: string): void {
    if (this.#state.kind !== 'open' || this.#state.socket !== socket) return;
    this.#state.heard = true;
    if (text === 'pong') return;
    const parsed = parse(text);
    if (parsed.kind === 'message') this.#handle(parsed.message);
    else if (parsed.seq !== null) {
      // From a newer control plane: what we do not know is not for us, and must not be sent for ever.
      this.#deps.log.warn({ seq: parsed.seq }, 'A message of the control plane was not understood');
      this.#acknowledge(parsed.seq);
    }
  }

  #handle(message: NodeMessage): void {
    if (message.type === 'resync' || message.type === 'superseded') {
      this.#handlers.message(message);
      return;
    }
    if (message.seq > this.#lastSeq) this.#handlers.message(message);
    this.#acknowledge(message.seq);
  }

  #acknowledge(seq: number): void {
    this.#lastSeq = Math.max(this.#lastSeq, seq);
    this.send({ type: 'ack', seq });
  }

  #lost(socket: WebSocket, reason: string): void {
    if (!this.#holds(socket)) return;
    if (this.#state.kind === 'open') this.#state.ping.cancel();
    const delayMs = this.#backoff.nextMs();
    this.#deps.log.warn({ retry_in_ms: Math.round(delayMs) }, `The session with the control plane was lost: ${reason}`);
    this.#state = { kind: 'waiting', timer: this.#deps.clock.timer(delayMs, () => this.#connect()) };
  }
}

type Parsed = { kind: 'message'; message: NodeMessage } | { kind: 'unknown'; seq: number | null };

function parse(text: string): Parsed {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { kind: 'unknown', seq: null };
  }
  const result = nodeMessageSchema.safeParse(value);
  if (result.success) return { kind: 'message', message: result.data };
  const seq = typeof value === 'object' && value !== null && 'seq' in value ? value.seq : null;
  return { kind: 'unknown', seq: typeof seq === 'number' && Number.isSafeInteger(seq) ? seq : null };
}
