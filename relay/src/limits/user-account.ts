import type { Duplex } from 'node:stream';
import type { Binding } from '@tunnox/domain/binding';
import type { ClientPolicy, RelayLimits } from '@tunnox/domain/policy';
import type { Clock } from '../clock.ts';
import type { Meter } from '../upstream/upstream.ts';
import type { TunnelRefused } from '../upstream/tunnel-refused.ts';
import { BandwidthBucket } from './bandwidth-bucket.ts';
import { throttleStream } from './throttle-stream.ts';

/** An open tunnel as its limits see it. */
export interface LiveTunnel {
  readonly binding: Binding;
  readonly userId: number | null;
  readonly clientId: number;
  readonly meter: Meter;
  /** What of the meter was counted already. */
  readonly counted: Meter;
  /** null until the tunnel's stream is known. */
  stream: Duplex | null;
  /** Why it must not be used, found out while it was being opened. */
  refused: TunnelRefused | null;
  unthrottle: (() => void) | null;
}

/** Limits that one user's tunnels share at this relay. An anonymous client is a user by itself. */
export class UserAccount {
  readonly tunnels = new Set<LiveTunnel>();
  /** Limit of connections for each mapping, null = unlimited. */
  connectionsMax: number | null = null;
  readonly #bucket: BandwidthBucket;
  /** Configuration version of the last policy of each client. */
  readonly #versions = new Map<number, number>();
  #trafficLeftBytes: number | null = null;
  #unreportedBytes = 0;

  constructor(clock: Clock) {
    this.#bucket = new BandwidthBucket(clock, null);
  }

  /** Whether a policy has told the limits yet. */
  get isKnown(): boolean {
    return this.#versions.size > 0;
  }

  /**
   * Takes the limits of a policy.
   *
   * @returns false when it is older than another one of its client: an answer may have been overtaken by a push
   */
  applyPolicy({ client_id, config_version, limits }: ClientPolicy): boolean {
    if (config_version < (this.#versions.get(client_id) ?? 0)) return false;
    this.#versions.set(client_id, config_version);
    this.#applyLimits(limits);
    return true;
  }

  #applyLimits(limits: RelayLimits): void {
    this.connectionsMax = limits.max_connections_per_mapping;
    this.applyTrafficLeft(limits.traffic_remaining_bytes);
    this.#bucket.setRate(limits.bandwidth_bytes_per_s);
    for (const tunnel of this.tunnels) this.#throttle(tunnel);
  }

  /** @param bytes What the control plane says is left; it does not know yet of what was not reported. */
  applyTrafficLeft(bytes: number | null): void {
    this.#trafficLeftBytes = bytes;
  }

  /** @throws {TunnelRefused} when the tunnel was ended before it was open; the stream is destroyed */
  attachStream(tunnel: LiveTunnel, stream: Duplex): void {
    tunnel.stream = stream;
    if (tunnel.refused !== null) {
      stream.destroy(tunnel.refused);
      throw tunnel.refused;
    }
    this.#throttle(tunnel);
  }

  /** Ends a tunnel, now or as soon as it is open. */
  end(tunnel: LiveTunnel, reason: TunnelRefused): void {
    tunnel.refused = reason;
    tunnel.stream?.destroy(reason);
  }

  /** Adds bytes that were counted here. */
  count(bytes: number): void {
    this.#unreportedBytes += bytes;
  }

  /** A report with these bytes has reached the control plane. */
  reported(bytes: number): void {
    this.#unreportedBytes = Math.max(0, this.#unreportedBytes - bytes);
    // Its answer says what is left of a user's traffic, and nothing of an anonymous client's.
    if (this.#trafficLeftBytes !== null) this.#trafficLeftBytes = Math.max(0, this.#trafficLeftBytes - bytes);
  }

  get hasTrafficLimit(): boolean {
    return this.#trafficLeftBytes !== null;
  }

  /** Nothing is open and nothing is left to report. */
  get idle(): boolean {
    return this.tunnels.size === 0 && this.#unreportedBytes === 0;
  }

  get exhausted(): boolean {
    return this.#trafficLeftBytes !== null && this.#unreportedBytes >= this.#trafficLeftBytes;
  }

  /** So much of what is left was used that a report should not wait. */
  get shouldReport(): boolean {
    if (this.#trafficLeftBytes === null || this.#unreportedBytes === 0) return false;
    return this.#unreportedBytes >= this.#trafficLeftBytes * REPORT_SHARE;
  }

  #throttle(tunnel: LiveTunnel): void {
    const limited = this.#bucket.bytesPerSecond !== null;
    if (limited && tunnel.unthrottle === null && tunnel.stream !== null) {
      tunnel.unthrottle = throttleStream(tunnel.stream, this.#bucket);
    } else if (!limited && tunnel.unthrottle !== null) {
      tunnel.unthrottle();
      tunnel.unthrottle = null;
    }
  }
}

/** Several relays share one allowance: each tells soon when it alone has used this much of the rest. */
const REPORT_SHARE = 0.1;
