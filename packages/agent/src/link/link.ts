import type { ClientHttp2Session, Http2Session, Http2Stream, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { AgentMessage, RelayMessage } from '@tunnox/protocol/control-message';
import { parseRelayMessage } from '@tunnox/protocol/parse-control';
import { acceptTunnel } from '@tunnox/streams/answer-tunnel';
import { connectSession } from '@tunnox/streams/connect-session';
import { ControlChannel } from '@tunnox/streams/control-channel';
import { watchLiveness } from '@tunnox/streams/liveness';
import { openControlStream } from '@tunnox/streams/open-control-stream';
import { routeStreams } from '@tunnox/streams/route-streams';
import { serveSession } from '@tunnox/streams/serve-session';
import { TimerWheel } from '@tunnox/streams/timer-wheel';
import type { Clock } from '../clock.ts';
import type { Candidate } from './candidates.ts';
import { OpenStreams } from './open-streams.ts';

/** From the first byte of HTTP/2 to an open control stream: a relay that hangs must not hold a try for longer. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** What a leaving agent gives its last words. */
const LAST_WORDS_TIMEOUT_MS = 500;

/** Tunnels of a link whose control stream has ended may finish: the relay gives them less. */
const LINGER_MS = 300_000;

export type TunnelHandler = (stream: ServerHttp2Stream, bindingId: string, headers: IncomingHttpHeaders) => void;

/** What is told of a link; `closed` comes once, last: the relay counts on it no more. */
export interface LinkListener {
  message: (message: RelayMessage) => void;
  closed: () => void;
}

/** A connection to a relay whose control stream is open: it can say hello. */
export class Link {
  readonly candidate: Candidate;
  /** Set on visiting links: tunnels are opened on it, and shown to `track()`. */
  readonly visiting: ClientHttp2Session | null;
  /** Resolves when the connection is gone with all its tunnels. */
  readonly gone: Promise<void>;
  readonly #session: Http2Session;
  readonly #socket: Duplex & { bytesRead?: number };
  readonly #tunnels: OpenStreams;
  readonly #clock: Clock;
  readonly #channel: ControlChannel<AgentMessage, RelayMessage>;
  /** What came before anybody listened: the relay may say several things in one breath. */
  readonly #early: RelayMessage[] = [];
  #listener: LinkListener | null = null;
  #closed = false;
  #latencyMs: number | null = null;

  private constructor(candidate: Candidate, parts: LinkParts, control: Duplex) {
    const { session } = parts;
    this.candidate = candidate;
    this.visiting = parts.visiting;
    this.#session = session;
    this.#socket = parts.socket;
    this.#tunnels = parts.tunnels;
    this.#clock = parts.clock;
    this.#channel = new ControlChannel(control, {
      parse: parseRelayMessage,
      onMessage: (message) => {
        if (this.#listener === null) this.#early.push(message);
        else this.#listener.message(message);
      },
      onClose: () => this.#onClosed(),
    });
    this.gone = new Promise((resolve) => session.once('close', resolve));
    session.once('close', () => this.#onClosed());
    if (session.destroyed) this.#onClosed();
  }

  /** The agent's end of a serving connection: waits for the relay to open the control stream. */
  static async serve(
    socket: Duplex,
    candidate: Candidate,
    deps: { clock: Clock; onTunnel: TunnelHandler },
    signal: AbortSignal,
  ): Promise<Link> {
    const session = serveSession(socket);
    const tunnels = new OpenStreams();
    const control = new Promise<Duplex>((resolve, reject) => {
      let answered = false;
      routeStreams(session, {
        control: (stream) => {
          // One is enough; a second one would have nobody behind it.
          if (answered || !acceptTunnel(stream)) return stream.close();
          answered = true;
          resolve(stream);
        },
        tunnel: (stream, bindingId, headers) => {
          tunnels.add(stream);
          deps.onTunnel(stream, bindingId, headers);
        },
      });
      session.once('close', () => reject(new Error('The relay closed the connection')));
    });
    const parts: LinkParts = { session, visiting: null, socket, tunnels, clock: deps.clock };
    return open(parts, control, signal, (stream) => new Link(candidate, parts, stream));
  }

  /** The agent's end of a visiting connection: it opens the control stream. */
  static async visit(socket: Duplex, candidate: Candidate, deps: { clock: Clock }, signal: AbortSignal): Promise<Link> {
    const session = connectSession(socket);
    const control = openControlStream(session, signal);
    const parts: LinkParts = { session, visiting: session, socket, tunnels: new OpenStreams(), clock: deps.clock };
    return open(parts, control, signal, (stream) => new Link(candidate, parts, stream));
  }

  get nodeId(): string {
    return this.candidate.relay.node_id;
  }

  /** True when the relay does not count on this link any more; its tunnels may still go on. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Round trip of the last PING; null before the first. */
  get latencyMs(): number | null {
    return this.#latencyMs;
  }

  /** Hands over what has come and what comes. */
  listen(listener: LinkListener): void {
    this.#listener = listener;
    // A listener may hand over to the next one at any message.
    while (this.#listener === listener && this.#early.length > 0) listener.message(this.#early.shift() as RelayMessage);
    if (this.#closed && this.#listener === listener) listener.closed();
  }

  /** From now on what comes is kept for the next listener. */
  unlisten(): void {
    this.#listener = null;
  }

  send(message: AgentMessage): void {
    this.#channel.send(message);
  }

  /** Begins to watch whether the relay is there: by PING every `heartbeatMs`, two without an answer end the link. */
  watch(heartbeatMs: number): void {
    const wheel = new TimerWheel(
      { setInterval, clearInterval: (timer) => clearInterval(timer as NodeJS.Timeout) },
      {
        roundMs: heartbeatMs,
        spokes: 1,
      },
    );
    watchLiveness(this.#session, this.#socket, wheel);
    const measure = (): void => this.#ping((latencyMs) => (this.#latencyMs = latencyMs));
    measure();
    const stop = wheel.add(measure);
    this.#session.once('close', stop);
  }

  /** Asks now whether the relay is there, and ends the link unless it answers in time. */
  check(timeoutMs: number): void {
    if (this.#closed) return;
    const timer = this.#clock.timer(timeoutMs, () => this.destroy());
    this.#session.once('close', () => timer.cancel());
    this.#ping(() => timer.cancel());
  }

  /** Counts a tunnel that this side opened. */
  track(stream: Http2Stream): void {
    this.#tunnels.add(stream);
  }

  /** Ends the connection when its tunnels have ended, or at the deadline. */
  retire(deadlineMs: number): void {
    if (this.#session.destroyed) return;
    const timer = this.#clock.timer(deadlineMs, () => this.destroy());
    this.#session.once('close', () => timer.cancel());
    this.#tunnels.whenEmpty(() => this.destroy());
  }

  /** Says a last message and closes; resolves when that is done, or soon. */
  async leave(): Promise<void> {
    if (this.#session.destroyed) return;
    this.send({ type: 'bye' });
    this.#channel.close();
    const timer = this.#clock.timer(LAST_WORDS_TIMEOUT_MS, () => this.destroy());
    await this.gone;
    timer.cancel();
  }

  destroy(): void {
    this.#session.destroy();
    this.#socket.destroy();
    this.#onClosed();
  }

  #ping(answered: (latencyMs: number) => void): void {
    if (this.#session.destroyed) return;
    this.#session.ping((error, durationMs) => {
      if (error === null) answered(durationMs);
    });
  }

  /** The control stream or the whole connection has ended. */
  #onClosed(): void {
    if (this.#session.destroyed) this.#socket.destroy();
    if (this.#closed) return;
    this.#closed = true;
    this.#listener?.closed();
    this.retire(LINGER_MS);
  }
}

interface LinkParts {
  session: Http2Session;
  visiting: ClientHttp2Session | null;
  socket: Duplex & { bytesRead?: number };
  tunnels: OpenStreams;
  clock: Clock;
}

async function open(
  { session, clock }: LinkParts,
  control: Promise<Duplex>,
  signal: AbortSignal,
  link: (control: Duplex) => Link,
): Promise<Link> {
  const give = (): void => session.destroy();
  const timer = clock.timer(HANDSHAKE_TIMEOUT_MS, give);
  signal.addEventListener('abort', give, { once: true });
  if (signal.aborted) give();
  try {
    return link(await control);
  } catch (error) {
    session.destroy();
    throw error;
  } finally {
    timer.cancel();
    signal.removeEventListener('abort', give);
  }
}
