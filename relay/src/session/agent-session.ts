import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import type { TicketClaims } from '@tunnox/domain/agent-api';
import type { ClientPolicy } from '@tunnox/domain/policy';
import type { LimitsNotice, RelayMessage } from '@tunnox/protocol/control-message';
import { openTunnelStream, type TunnelHeaders } from '@tunnox/streams/open-tunnel-stream';
import type { Clock } from '../clock.ts';
import { isOlder } from '../limits/is-older.ts';
import { endSession } from './end-session.ts';
import type { RelayChannel } from './listen-to-agent.ts';
import type { AttachedClient } from './ports.ts';

export interface AgentSessionParts {
  session: ClientHttp2Session;
  channel: RelayChannel;
  client: AttachedClient;
  claims: TicketClaims;
  clock: Clock;
}

/** One serving agent: its HTTP/2 session, its control stream, and what the control plane said about it. */
export class AgentSession {
  readonly client: AttachedClient;
  readonly claims: TicketClaims;
  readonly #session: ClientHttp2Session;
  readonly #channel: RelayChannel;
  readonly #clock: Clock;
  #policy: ClientPolicy | null = null;
  /** null: as the policy says. */
  #exhausted: boolean | null = null;
  /** The last notice of limits. */
  #limitsTold = '';
  #policyWaiters: Set<() => void> | null = null;
  #tunnels = 0;
  #leaving = false;

  constructor(parts: AgentSessionParts) {
    this.client = parts.client;
    this.claims = parts.claims;
    this.#session = parts.session;
    this.#channel = parts.channel;
    this.#clock = parts.clock;
  }

  /** The same for no other session. */
  get key(): string {
    return `${this.client.client_id}/${this.client.instance_id}/${this.client.connect_seq}`;
  }

  /** True when no new tunnel can be opened: the connection is gone, or the session was told to end. */
  get closed(): boolean {
    return this.#leaving || this.#session.closed || this.#session.destroyed;
  }

  /** True once `end()` or `cut()` was called. */
  get leaving(): boolean {
    return this.#leaving;
  }

  /** True when the connection has ended. */
  get gone(): boolean {
    return this.#session.destroyed;
  }

  /** Tunnels that are open or being opened. */
  get tunnels(): number {
    return this.#tunnels;
  }

  /** The control plane's last word; null while it has said nothing since this relay started. */
  get policy(): ClientPolicy | null {
    return this.#policy;
  }

  /**
   * Takes a policy over and tells the agent what is new in it.
   *
   * @param tell false before the welcome.
   */
  applyPolicy(policy: ClientPolicy, tell: boolean): void {
    const before = this.#policy;
    // The answer to an attach may be older than what was pushed meanwhile.
    if (before !== null && isOlder(policy, before)) return;
    this.#policy = policy;
    if (tell) this.tellPolicy(before);
    for (const wake of this.#policyWaiters ?? []) wake();
  }

  /** Tells the agent of the present policy as far as it differs from `before`. */
  tellPolicy(before: ClientPolicy | null): void {
    const policy = this.#policy;
    if (policy === null) return;
    if (before === null || policy.config_version > before.config_version) {
      this.send({ type: 'config_changed', version: policy.config_version });
    }
    this.#tellLimits();
  }

  /** What was counted here says more of the traffic than the policy: it is used up, or there is some again. */
  tellTraffic(exhausted: boolean): void {
    this.#exhausted = exhausted;
    // Before the welcome nothing may be said; then it is, with the policy.
    if (this.#limitsTold !== '') this.#tellLimits();
  }

  #tellLimits(): void {
    if (this.#policy === null) return;
    const notice = limitsNotice(this.#policy, this.#exhausted);
    const text = JSON.stringify(notice);
    if (text === this.#limitsTold) return;
    this.#limitsTold = text;
    this.send(notice);
  }

  /**
   * Resolves when `ready` is true of the policy, or after `timeoutMs`: a push may be a moment behind a caller that has
   * just looked the binding up.
   */
  policyReady(ready: (policy: ClientPolicy | null) => boolean, timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (ready(this.#policy)) return Promise.resolve();
    const waiters = (this.#policyWaiters ??= new Set());
    return new Promise((resolve) => {
      const wake = (): void => {
        if (ready(this.#policy)) finish();
      };
      const finish = (): void => {
        waiters.delete(wake);
        timer.cancel();
        signal.removeEventListener('abort', finish);
        this.#session.off('close', finish);
        resolve();
      };
      const timer = this.#clock.timer(timeoutMs, finish);
      waiters.add(wake);
      signal.addEventListener('abort', finish);
      this.#session.once('close', finish);
      if (signal.aborted) finish();
    });
  }

  send(message: RelayMessage): void {
    this.#channel.send(message);
  }

  /** Opens a tunnel to the agent, see `openTunnelStream()`. */
  async openTunnel(bindingId: string, headers: TunnelHeaders, signal: AbortSignal): Promise<ClientHttp2Stream> {
    this.#tunnels += 1;
    let stream;
    try {
      stream = await openTunnelStream(this.#session, bindingId, headers, signal);
    } catch (error) {
      this.#tunnels -= 1;
      throw error;
    }
    stream.once('close', () => {
      this.#tunnels -= 1;
    });
    return stream;
  }

  /**
   * Ends the session for the agent: no new tunnels from now on.
   *
   * @param lastWord Sent first.
   * @param lingerMs Time for running tunnels to finish; 0: they are cut as soon as the last word is out.
   */
  end(lastWord: RelayMessage | null, lingerMs: number): void {
    if (this.#leaving) return;
    this.#leaving = true;
    if (lastWord !== null) this.send(lastWord);
    endSession(this.#session, this.#channel, this.#clock, lingerMs);
  }

  /** Ends the session and its tunnels at once. */
  cut(): void {
    this.#leaving = true;
    this.#session.destroy();
  }
}

function limitsNotice({ limits }: ClientPolicy, exhausted: boolean | null): LimitsNotice {
  const { ledger, bandwidth_bytes_per_s, max_connections_per_mapping, traffic_remaining_bytes } = limits;
  const waiting = ledger?.waiting_bindings ?? [];
  return {
    type: 'limits',
    // Not this relay's share: that is nobody's business, and changes.
    bandwidth_bytes_per_s: ledger === undefined ? bandwidth_bytes_per_s : ledger.total_bandwidth_bytes_per_s,
    max_connections_per_mapping,
    traffic_exhausted: exhausted ?? (traffic_remaining_bytes !== null && traffic_remaining_bytes <= 0),
    ...(waiting.length === 0 ? {} : { waiting_bindings: waiting.slice(0, WAITING_MAX) }),
  };
}

/** What an agent takes; beyond it nobody reads them one by one. */
const WAITING_MAX = 1000;
