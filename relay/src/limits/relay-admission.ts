import type { Duplex } from 'node:stream';
import { type AccessRules, type Binding, hasEnded } from '@tunnox/domain/binding';
import type { ClientPolicy } from '@tunnox/domain/policy';
import type { UsageAnswer, UsageRequest } from '@tunnox/domain/relay-api';
import type { Clock, Timer } from '../clock.ts';
import { TunnelRefused } from '../upstream/tunnel-refused.ts';
import type { Meter } from '../upstream/upstream.ts';
import { AccessList } from './access-list.ts';
import type { Admission, Admitted } from './admission.ts';
import { type LiveTunnel, UserAccount } from './user-account.ts';

export type UsageEntry = UsageRequest['entries'][number];

/** How often tunnels of users with a traffic limit are counted: bounds how far the limit is passed. */
const SWEEP_MS = 500;

/** Admission and counting of all tunnels whose agents are attached here. */
export class RelayAdmission implements Admission {
  /** Asks for a usage report before its time, because somebody's allowance is nearly used up. */
  onReportWanted: () => void = () => {};
  /** The traffic of a user is used up, or there is some again: its clients that are attached here. */
  onTrafficTurn: (clientIds: number[], exhausted: boolean) => void = () => {};
  /** Whether a client is attached here. */
  isAttached: (clientId: number) => boolean = () => true;

  readonly #clock: Clock;
  readonly #accounts = new Map<string, UserAccount>();
  /** Accounts of clients that are attached here. */
  readonly #byClient = new Map<number, UserAccount>();
  readonly #connections = new Map<string, number>();
  readonly #usage = new Map<string, UsageEntry>();
  readonly #accessLists = new WeakMap<AccessRules, AccessList>();
  readonly #bindings = new WeakMap<ClientPolicy, Map<string, Binding>>();
  #sweep: Timer | null = null;
  #tunnels = 0;
  readonly #total: Meter = { bytesIn: 0, bytesOut: 0 };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Open tunnels and all bytes that were counted since the start. */
  snapshot(): { tunnels: number; bytesIn: number; bytesOut: number } {
    this.#countAll();
    return { tunnels: this.#tunnels, ...this.#total };
  }

  admit(clientId: number, policy: ClientPolicy | null, asked: Binding, visitor: string): Admitted {
    const binding = this.#newest(policy, asked);
    if (hasEnded(binding, this.#clock.now())) throw new TunnelRefused('unknown_binding', 'This route has ended');
    if (!binding.enabled) throw new TunnelRefused('disabled', 'This tunnel is switched off');
    if (!this.#accessList(binding.access).allows(visitor)) {
      throw new TunnelRefused('denied', 'The access rules of this tunnel do not let your address in');
    }
    if (policy?.limits.ledger?.waiting_bindings.includes(binding.binding_id) === true) throw waitsForItsTurn();
    const userId = policy === null ? binding.user_id : policy.user_id;
    const account = this.#account(userId, clientId, policy);
    const connections = this.#connections.get(binding.binding_id) ?? 0;
    if (account.connectionsMax !== null && connections >= account.connectionsMax) {
      throw new TunnelRefused('connection_limit', `This tunnel has its ${account.connectionsMax} connections already`);
    }
    if (account.exhausted) throw trafficUsedUp();
    return this.#open(account, userId, clientId, binding);
  }

  /**
   * The policy of a client that is attached here, or comes now. New limits take effect on open tunnels; tunnels of a
   * binding that was changed, taken away, or has lost its place are closed.
   */
  applyPolicy(policy: ClientPolicy): void {
    const account = this.#account(policy.user_id, policy.client_id, null);
    if (!account.applyPolicy(policy)) return;
    this.#byClient.set(policy.client_id, account);
    const waiting = policy.limits.ledger?.waiting_bindings ?? [];
    for (const tunnel of account.tunnels) {
      if (tunnel.clientId !== policy.client_id) continue;
      const bindingId = tunnel.binding.binding_id;
      const now = this.#bindingsOf(policy).get(bindingId);
      if (now === undefined || !now.enabled || now.version > tunnel.binding.version) {
        account.end(tunnel, new TunnelRefused('stale_binding', 'The tunnel was changed or switched off'));
      } else if (waiting.includes(bindingId)) {
        account.end(tunnel, waitsForItsTurn());
      }
    }
    this.#endExhausted(account);
  }

  /** The client is not attached here any more. When it comes back the control plane says what it has left. */
  clientLeft(clientId: number): void {
    const account = this.#byClient.get(clientId);
    this.#byClient.delete(clientId);
    account?.forget(clientId);
    if (account?.isKnown === false && account.idle) this.#accounts.delete(accountKey(account.userId, account.clientId));
  }

  /** Whose traffic is used up, so that the control plane is asked what is left though nothing moves. */
  asking(): { user_ids: number[]; client_ids: number[] } {
    const asking = { user_ids: [] as number[], client_ids: [] as number[] };
    for (const account of this.#accounts.values()) {
      if (!account.exhausted) continue;
      if (account.userId === null) asking.client_ids.push(account.clientId);
      else asking.user_ids.push(account.userId);
    }
    return asking;
  }

  /** Bytes a second lately of the users of whose bandwidth there is only a share here, for a report. */
  sharedSpeeds(): Map<number, number> {
    const speeds = new Map<number, number>();
    for (const account of this.#accounts.values()) {
      if (account.userId === null || !account.isShared) continue;
      speeds.set(account.userId, account.tellSpeed());
      // Its tunnels may have closed meanwhile: that has to be told as well.
      if (account.holdsShare) this.#armSweep();
    }
    return speeds;
  }

  /** Everything that was counted since the last call. */
  takeUsage(): UsageEntry[] {
    this.#countAll();
    const entries = [...this.#usage.values()];
    this.#usage.clear();
    return entries;
  }

  /** A report with these entries has reached the control plane, which answered what is left. */
  reported(entries: readonly UsageEntry[], { allowances, client_allowances = [] }: UsageAnswer): void {
    for (const entry of entries) {
      const account = this.#accounts.get(accountKey(entry.user_id, entry.client_id));
      account?.reported(entry.bytes_in + entry.bytes_out);
    }
    const left = new Map([
      ...allowances.map((one) => [accountKey(one.user_id, 0), one.traffic_remaining_bytes] as const),
      ...client_allowances.map((one) => [accountKey(null, one.client_id), one.traffic_remaining_bytes] as const),
    ]);
    for (const [key, bytes] of left) {
      const account = this.#accounts.get(key);
      if (account === undefined) continue;
      account.applyTrafficLeft(bytes);
      this.#endExhausted(account);
    }
    this.#dropIdleAccounts();
  }

  #open(account: UserAccount, userId: number | null, clientId: number, binding: Binding): Admitted {
    const bindingId = binding.binding_id;
    const meter: Meter = { bytesIn: 0, bytesOut: 0 };
    const tunnel: LiveTunnel = {
      binding,
      userId,
      clientId,
      meter,
      counted: { bytesIn: 0, bytesOut: 0 },
      stream: null,
      refused: null,
      unthrottle: null,
    };
    account.tunnels.add(tunnel);
    this.#tunnels++;
    this.#connections.set(bindingId, (this.#connections.get(bindingId) ?? 0) + 1);
    this.#entry(binding, userId, clientId).connections++;
    if (account.isWatched) this.#armSweep();
    let released = false;
    return {
      meter,
      shape: (stream: Duplex): Duplex => {
        account.attachStream(tunnel, stream);
        return stream;
      },
      release: () => {
        if (released) return;
        released = true;
        this.#count(account, tunnel);
        tunnel.unthrottle?.();
        account.tunnels.delete(tunnel);
        this.#tunnels--;
        const left = (this.#connections.get(bindingId) ?? 1) - 1;
        if (left > 0) this.#connections.set(bindingId, left);
        else this.#connections.delete(bindingId);
      },
    };
  }

  #newest(policy: ClientPolicy | null, asked: Binding): Binding {
    if (policy === null) return asked;
    const pushed = this.#bindingsOf(policy).get(asked.binding_id);
    return pushed === undefined || pushed.version < asked.version ? asked : pushed;
  }

  #bindingsOf(policy: ClientPolicy): Map<string, Binding> {
    let byId = this.#bindings.get(policy);
    if (byId === undefined) {
      byId = new Map(policy.bindings.map((binding) => [binding.binding_id, binding]));
      this.#bindings.set(policy, byId);
    }
    return byId;
  }

  #accessList(rules: AccessRules): AccessList {
    let list = this.#accessLists.get(rules);
    if (list === undefined) {
      list = new AccessList(rules);
      this.#accessLists.set(rules, list);
    }
    return list;
  }

  #account(userId: number | null, clientId: number, policy: ClientPolicy | null): UserAccount {
    const key = accountKey(userId, clientId);
    let account = this.#accounts.get(key);
    if (account === undefined) {
      account = new UserAccount(this.#clock, userId, clientId);
      this.#accounts.set(key, account);
    }
    // Later policies are pushed; what a report has said since is newer than this one.
    if (policy !== null && !account.isKnown) {
      account.applyPolicy(policy);
      this.#byClient.set(clientId, account);
    }
    return account;
  }

  #entry(binding: Binding, userId: number | null, clientId: number): UsageEntry {
    const key = `${binding.binding_id} ${clientId}`;
    let entry = this.#usage.get(key);
    if (entry === undefined) {
      entry = {
        binding_id: binding.binding_id,
        client_id: clientId,
        user_id: userId,
        bytes_in: 0,
        bytes_out: 0,
        connections: 0,
      };
      this.#usage.set(key, entry);
    }
    return entry;
  }

  #count(account: UserAccount, tunnel: LiveTunnel): void {
    const bytesIn = tunnel.meter.bytesIn - tunnel.counted.bytesIn;
    const bytesOut = tunnel.meter.bytesOut - tunnel.counted.bytesOut;
    if (bytesIn === 0 && bytesOut === 0) return;
    tunnel.counted.bytesIn += bytesIn;
    tunnel.counted.bytesOut += bytesOut;
    this.#total.bytesIn += bytesIn;
    this.#total.bytesOut += bytesOut;
    const entry = this.#entry(tunnel.binding, tunnel.userId, tunnel.clientId);
    entry.bytes_in += bytesIn;
    entry.bytes_out += bytesOut;
    account.count(bytesIn + bytesOut);
  }

  #countAll(): void {
    for (const account of this.#accounts.values()) {
      for (const tunnel of account.tunnels) this.#count(account, tunnel);
    }
  }

  #armSweep(): void {
    if (this.#sweep !== null) return;
    this.#sweep = this.#clock.timer(SWEEP_MS, () => {
      this.#sweep = null;
      this.#sweepLimited();
    });
  }

  #sweepLimited(): void {
    let reportWanted = false;
    let again = false;
    for (const account of this.#accounts.values()) {
      if (!account.isWatched) continue;
      for (const tunnel of account.tunnels) this.#count(account, tunnel);
      // Both are asked: each begins its next span of time with it.
      const news = account.hasShareNews();
      reportWanted ||= account.shouldReport || news;
      this.#endExhausted(account);
      again ||= account.tunnels.size > 0 || account.holdsShare;
    }
    if (again) this.#armSweep();
    if (reportWanted) this.onReportWanted();
  }

  #endExhausted(account: UserAccount): void {
    const { exhausted } = account;
    if (exhausted !== account.toldExhausted) {
      account.toldExhausted = exhausted;
      this.onTrafficTurn([...account.clientIds], exhausted);
    }
    if (!account.isWatched || account.tunnels.size === 0) return;
    this.#armSweep();
    if (!exhausted) return;
    for (const tunnel of account.tunnels) account.end(tunnel, trafficUsedUp());
  }

  /** An account stays while a client of the user is here: the last report, and other clients, know more of it. */
  #dropIdleAccounts(): void {
    for (const [key, account] of this.#accounts) {
      if (!account.idle) continue;
      // A policy may have come for one that had just left.
      const gone = [...account.clientIds].filter((clientId) => !this.isAttached(clientId));
      for (const clientId of gone) {
        account.forget(clientId);
        this.#byClient.delete(clientId);
      }
      if (!account.isKnown) this.#accounts.delete(key);
    }
  }
}

function accountKey(userId: number | null, clientId: number): string {
  return userId === null ? `client ${clientId}` : `user ${userId}`;
}

function waitsForItsTurn(): TunnelRefused {
  return new TunnelRefused('active_limit', "Others of its owner's tunnels have the places that may be active at once");
}

function trafficUsedUp(): TunnelRefused {
  return new TunnelRefused('traffic_limit', "This month's traffic is used up");
}
