import { makeUlid } from '@tunnox/domain/ulid';
import { randomBytes } from 'node:crypto';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../clock.ts';
import type { Router } from '../router/router.ts';
import type { ChallengeAnswers } from './challenge-answers.ts';
import { DeadlineSweep } from './deadline-sweep.ts';
import type { Peer, TrustedPeers } from './forwarding.ts';
import type { ProxyCore } from './proxy-core.ts';
import { ProxyMetrics } from './proxy-metrics.ts';
import { TunnelPool } from './tunnel-pool.ts';
import { VisitorConnection } from './visitor-connection.ts';

export interface HttpProxyDeps {
  router: Router;
  clock: Clock;
  /** Proxies in front of the relay whose `X-Forwarded-For` is believed; null: none. */
  trustedPeers: TrustedPeers | null;
  /** Proofs for certificate authorities that relays answer; absent: none. */
  challenges?: Pick<ChallengeAnswers, 'find'>;
}

export interface HttpProxyOptions {
  /** Visitors' connections at one time, upgraded ones included. */
  connectionsMax: number;
  /** Show the warning page of anonymous names to browsers. */
  warningPages: boolean;
}

const FULL =
  'HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nTunnox-Error: busy\r\nContent-Type: text/plain\r\n' +
  'Content-Length: 28\r\nConnection: close\r\n\r\nThe relay is full right now.';

/** TCP keep-alive: finds visitors that vanished without a word. */
const KEEP_ALIVE_PROBE_MS = 60_000;

/** Serves visitors' HTTP/1.x connections: each request goes to the tunnel of its own Host. */
export class HttpProxy implements ProxyCore {
  readonly router: Router;
  readonly pool: TunnelPool;
  readonly sweep: DeadlineSweep;
  readonly metrics = new ProxyMetrics();
  readonly trustedPeers: TrustedPeers | null;
  readonly warningPages: boolean;
  readonly challenges: Pick<ChallengeAnswers, 'find'> | null;
  readonly #clock: Clock;
  readonly #connectionsMax: number;
  readonly #connections = new Set<VisitorConnection>();
  #draining = false;
  #whenEmpty: (() => void)[] = [];
  #date = '';
  #dateAtMs = Number.NEGATIVE_INFINITY;

  constructor(deps: HttpProxyDeps, options: HttpProxyOptions) {
    this.router = deps.router;
    this.trustedPeers = deps.trustedPeers;
    this.warningPages = options.warningPages;
    this.challenges = deps.challenges ?? null;
    this.#connectionsMax = options.connectionsMax;
    this.#clock = deps.clock;
    this.sweep = new DeadlineSweep(deps.clock);
    this.pool = new TunnelPool(this.sweep);
  }

  get draining(): boolean {
    return this.#draining;
  }

  start(): void {
    this.sweep.start();
  }

  /**
   * Serves a connection until it ends. The socket must allow half-open connections.
   *
   * @param peer Who is at the other end; for a plain or TLS socket, `peerOf` says it.
   */
  handle(socket: Duplex, peer: Peer): void {
    this.metrics.connectionsTotal++;
    if (this.#connections.size >= this.#connectionsMax) return this.#turnAway(socket);
    if (socket instanceof Socket) {
      socket.setNoDelay(true);
      socket.setKeepAlive(true, KEEP_ALIVE_PROBE_MS);
    }
    this.#connections.add(new VisitorConnection(this, socket, peer));
    this.metrics.connectionsActive = this.#connections.size;
  }

  /** Answers what is running, closes the rest, and resolves when every connection is closed. */
  async drain(signal: AbortSignal): Promise<void> {
    this.#draining = true;
    for (const connection of this.#connections) connection.closeIfIdle();
    if (this.#connections.size > 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#whenEmpty.push(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    // Nobody will use them: they end in order, while their agents are still there.
    this.pool.clear();
  }

  /** Ends every connection at once. */
  stop(): void {
    this.#draining = true;
    for (const connection of this.#connections) connection.destroy();
    this.pool.clear();
    this.sweep.stop();
  }

  newTunnelId(): string {
    return makeUlid(this.#clock.now(), randomBytes(16));
  }

  date(): string {
    if (this.sweep.nowMs - this.#dateAtMs >= 1000) {
      this.#dateAtMs = this.sweep.nowMs;
      this.#date = new Date(this.#dateAtMs).toUTCString();
    }
    return this.#date;
  }

  closed(connection: VisitorConnection): void {
    this.#connections.delete(connection);
    this.metrics.connectionsActive = this.#connections.size;
    if (this.#connections.size > 0) return;
    for (const resolve of this.#whenEmpty.splice(0)) resolve();
  }

  #turnAway(socket: Duplex): void {
    this.metrics.connectionsRefused++;
    socket.on('error', () => {});
    // Nothing is waited for: a relay that is full does not keep the connections that it refuses.
    socket.end(FULL, () => socket.destroy());
  }
}
