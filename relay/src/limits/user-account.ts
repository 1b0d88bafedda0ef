import type { Duplex } from 'node:stream';
import type { Binding } from '@tunnox/domain/binding';
import type { ClientPolicy, RelayLimits } from '@tunnox/domain/policy';
import type { Clock } from '../clock.ts';
import type { Meter } from '../upstream/upstream.ts';
import type { TunnelRefused } from '../upstream/tunnel-refused.ts';
import { BandwidthBucket } from './bandwidth-bucket.ts';
import { isOlder } from './is-older.ts';
import { SharePressure } from './share-pressure.ts';
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
  readonly userId: number | null;
  readonly clientId: number;
  readonly tunnels = new Set<LiveTunnel>();
  /** Limit of connections for each mapping, null = unlimited. */
  connectionsMax: number | null = null;
  /** What was said last of the traffic: that it is used up, or not. */
  toldExhausted = false;
  readonly #bucket: BandwidthBucket;
  /** The last policy of each client that is attached here. */
  readonly #policies = new Map<number, ClientPolicy>();
  /** Number of the ledger's decision by which the bandwidth here is a share; 0: none. */
  #shareVersion = 0;
  #totalBandwidth: number | null = null;
  readonly #pressure: SharePressure;
  #trafficLeftBytes: number | null = null;
  #unreportedBytes = 0;

  /** @param clientId The account's client when it is anonymous: `userId` is null. */
  constructor(clock: Clock, userId: number | null, clientId: number) {
    this.userId = userId;
    this.clientId = clientId;
    this.#bucket = new BandwidthBucket(clock, null);
    this.#pressure = new SharePressure(clock);
  }

  /** Whether a policy has told the limits yet. */
  get isKnown(): boolean {
    return this.#policies.size > 0;
  }

  /** Clients of the user that are attached here, as far as they were told. */
  get clientIds(): Iterable<number> {
    return this.#policies.keys();
  }

  /** The client is not attached here any more. */
  forget(clientId: number): void {
    this.#policies.delete(clientId);
  }

  /** The user is at other relays too: of its bandwidth, there is only a share here. */
  get isShared(): boolean {
    const share = this.#bucket.bytesPerSecond;
    return this.#totalBandwidth !== null && share !== null && share < this.#totalBandwidth;
  }

  /** How much of the share is used should be told now: it may grow, or others may have of it. */
  hasShareNews(): boolean {
    const share = this.#bucket.bytesPerSecond;
    return this.isShared && share !== null && this.#pressure.hasNews(share);
  }

  /** It was told to use its share; when that is over, it has to be told too. */
  get holdsShare(): boolean {
    return this.isShared && this.#pressure.holdsShare;
  }

  /** Bytes a second lately, for a report. */
  tellSpeed(): number {
    return this.#pressure.tellSpeed();
  }

  /**
   * Takes the limits of a policy.
   *
   * @returns false when it is older than another one of its client: an answer may have been overtaken by a push
   */
  applyPolicy(policy: ClientPolicy): boolean {
    const { client_id, config_version, limits } = policy;
    const before = this.#policies.get(client_id);
    if (before !== undefined && isOlder(policy, before)) return false;
    // Beside a change of its client, what reports are answered knows more of the traffic.
    const isNews = !this.isKnown || (before !== undefined && config_version > before.config_version);
    this.#policies.set(client_id, policy);
    if (isNews) this.applyTrafficLeft(limits.traffic_remaining_bytes);
    this.connectionsMax = limits.max_connections_per_mapping;
    this.#applyBandwidth(limits);
    for (const tunnel of this.tunnels) this.#throttle(tunnel);
    return true;
  }

  /** The bandwidth is the user's: of the policies of all its clients, the one that was decided last counts. */
  #applyBandwidth({ bandwidth_bytes_per_s: bandwidth, ledger }: RelayLimits): void {
    const version = ledger?.version ?? 0;
    const total = ledger?.total_bandwidth_bytes_per_s ?? null;
    const isSameTotal = this.#shareVersion > 0 && total === this.#totalBandwidth;
    // Where the ledger was not asked, or could not be, what it has said of the same limit stands.
    if (version === 0 ? isSameTotal : version < this.#shareVersion) return;
    this.#shareVersion = Math.max(version, this.#shareVersion);
    this.#totalBandwidth = total;
    this.#bucket.setRate(bandwidth);
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
    this.#pressure.count(bytes);
  }

  /** A report with these bytes has reached the control plane. */
  reported(bytes: number): void {
    this.#unreportedBytes = Math.max(0, this.#unreportedBytes - bytes);
    // Its answer says what is left; a control plane of an earlier version does not of an anonymous client's.
    if (this.#trafficLeftBytes !== null) this.#trafficLeftBytes = Math.max(0, this.#trafficLeftBytes - bytes);
  }

  /** Its tunnels have to be counted every now and then. */
  get isWatched(): boolean {
    return this.#trafficLeftBytes !== null || this.isShared;
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
