import type { Socket } from 'node:net';
import { join } from '@tunnox/streams/join';
import type { Decision, Router } from '../router/router.ts';
import { TunnelRefused } from '../upstream/tunnel-refused.ts';
import type { Tunnel } from '../upstream/upstream.ts';
import { openTunnel } from './open-tunnel.ts';
import { peerOf } from './peer-of.ts';

export interface TcpProxyDeps {
  router: Router;
  newTunnelId: () => string;
}

export interface TcpProxySnapshot {
  connectionsTotal: number;
  connectionsActive: number;
  /** Connections that got no tunnel, by cause. */
  refused: Record<string, number>;
}

/** Joins visitors of public TCP ports with their tunnels. */
export class TcpProxy {
  readonly #deps: TcpProxyDeps;
  readonly #joined = new Set<Socket>();
  readonly #refused = new Map<string, number>();
  #connectionsTotal = 0;
  #whenIdle: (() => void)[] = [];

  constructor(deps: TcpProxyDeps) {
    this.#deps = deps;
  }

  /**
   * Serves a connection until it ends. The socket must allow half-open connections.
   *
   * @param endpoint `tcp:{group}:{port}`
   * @param onJoined The tunnel is open.
   */
  handle(socket: Socket, endpoint: string, onJoined: () => void): void {
    this.#connectionsTotal++;
    // What an error means is told by the close that follows.
    socket.on('error', () => {});
    void this.#serve(socket, endpoint, onJoined);
  }

  /** Resolves when no connection is left, or the signal is aborted. */
  async drain(signal: AbortSignal): Promise<void> {
    if (this.#joined.size === 0 || signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.#whenIdle.push(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  /** Ends every connection at once. */
  stop(): void {
    for (const socket of this.#joined) socket.destroy();
  }

  snapshot(): TcpProxySnapshot {
    return {
      connectionsTotal: this.#connectionsTotal,
      connectionsActive: this.#joined.size,
      refused: Object.fromEntries(this.#refused),
    };
  }

  /** Never rejects. */
  async #serve(socket: Socket, endpoint: string, onJoined: () => void): Promise<void> {
    const { router, newTunnelId } = this.#deps;
    const aborter = new AbortController();
    const onGone = (): void => aborter.abort(new TunnelRefused('lost', 'The visitor has gone'));
    socket.once('close', onGone);
    try {
      const decision = await router.decide(endpoint);
      if (decision.kind !== 'open') return this.#turnAway(socket, decision);
      const { signal } = aborter;
      const opened = await openTunnel(router, { endpoint, decision, visitor: visitorOf(socket), newTunnelId, signal });
      if (opened.kind === 'decided') return this.#turnAway(socket, opened.decision);
      socket.off('close', onGone);
      onJoined();
      this.#join(socket, opened.tunnel);
    } catch (error) {
      this.#count(error instanceof TunnelRefused ? error.tunnelCause : 'lost');
      socket.resetAndDestroy();
    }
  }

  #join(socket: Socket, { stream, meter }: Tunnel): void {
    this.#joined.add(socket);
    join(socket, stream, meter, () => {
      this.#joined.delete(socket);
      if (this.#joined.size > 0) return;
      for (const resolve of this.#whenIdle.splice(0)) resolve();
    });
  }

  /** A port without a mapping looks closed; where an agent is away the connection just ends. */
  #turnAway(socket: Socket, decision: Exclude<Decision, { kind: 'open' }>): void {
    this.#count(decision.kind);
    if (decision.kind === 'unknown') socket.resetAndDestroy();
    else socket.destroy();
  }

  #count(cause: string): void {
    this.#refused.set(cause, (this.#refused.get(cause) ?? 0) + 1);
  }
}

function visitorOf(socket: Socket): string {
  const { address, port } = peerOf(socket, false);
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
