import type { Duplex } from 'node:stream';
import type { Binding } from '@tunnox/domain/binding';

/** One tunnel that somebody asks for. */
export interface TunnelRequest {
  binding: Binding;
  /** ULID of the tunnel; the same on every hop. */
  tunnelId: string;
  /** Address of the visitor as `ip:port`. */
  visitor: string;
  /** Private mapping only: the source client and its proof of the mapping's secret. */
  source?: { clientId: number; proof: string };
  /** SOCKS5 only: `host:port`. */
  target?: string;
}

/**
 * Bytes of one tunnel. Whoever moves the bytes adds to it (a plain addition for each chunk); who reads it is the
 * agent's relay. A bridged tunnel has one at each relay, only the agent's relay reports its own.
 */
export interface Meter {
  /** Visitor → target. */
  bytesIn: number;
  /** Target → visitor. */
  bytesOut: number;
}

/** An open tunnel: bytes both ways, half-close by `end()`. Closed by its stream. */
export interface Tunnel {
  readonly stream: Duplex;
  readonly meter: Meter;
}

/**
 * One place that can serve a binding: an agent attached here, or a peer relay. The proxy sees no difference.
 */
export interface Upstream {
  readonly kind: 'local' | 'peer';
  /**
   * Stands for (client, agent session or peer): tunnels opened through upstreams of equal keys end at the same
   * agent session, so an idle tunnel may be used again.
   */
  readonly key: string;
  /** True once the session is gone: do not open, do not reuse. */
  readonly closed: boolean;
  /**
   * Opens a tunnel to the target; resolves when the target is connected.
   *
   * @throws {TunnelRefused} with the cause. Nothing of the visitor's bytes has been sent yet.
   */
  open(request: TunnelRequest, signal: AbortSignal): Promise<Tunnel>;
}
