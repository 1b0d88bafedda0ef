import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { AgentApi } from '@tunnox/api-client/agent-api';
import { ApiCaller } from '@tunnox/api-client/api-caller';
import type { HttpTransport } from '@tunnox/api-client/http-transport';
import type { AgentSession } from '@tunnox/domain/agent-api';
import { makeUlid } from '@tunnox/domain/ulid';
import type { RelayMessage } from '@tunnox/protocol/control-message';
import type { AgentEvent } from './agent-event.ts';
import { type Clock, systemClock } from './clock.ts';
import { BindingTable } from './config/binding-table.ts';
import { configReport } from './config/config-report.ts';
import { type AppliedConfig, ConfigSync } from './config/config-sync.ts';
import type { CredentialKeeper } from './identity/credential.ts';
import { Identity } from './identity/identity.ts';
import type { TransportChoice } from './link/candidates.ts';
import { Connector } from './link/connector.ts';
import type { Link } from './link/link.ts';
import { ServingLoop } from './serving-loop.ts';
import { SourceListeners } from './source/source-listeners.ts';
import { Visitor } from './source/visitor.ts';
import { watchStalls } from './stall-watch.ts';
import type { Ending } from './state.ts';
import { AllowList } from './target/allow-list.ts';
import type { AllowRule } from './target/allow-rule.ts';
import { cachedLookup, systemLookup } from './target/cached-lookup.ts';
import { TargetDialer } from './target/target-dialer.ts';
import { TargetServer } from './target/target-server.ts';
import { Traffic } from './traffic.ts';

/** Whether the ticket should be renewed is looked at this often, so a failed renewal is repeated as often. */
const RENEWAL_CHECK_MS = 60_000;
/** After a wake-up: a relay that does not answer by then is left. */
const AWAKE_CHECK_MS = 3_000;
/** How long a tunnel waits for a configuration that is on its way. */
const CONFIG_WAIT_MS = 3_000;

export interface AgentDeps {
  credentials: CredentialKeeper;
  emit: (event: AgentEvent) => void;
  /** For calls to the control plane; `fetch` if absent. */
  httpTransport?: HttpTransport;
  clock?: Clock;
  /** Milliseconds of the wall clock; `Date.now` if absent. */
  wallNow?: () => number;
  /** Uniform in [0, 1). */
  random?: () => number;
}

export interface AgentOptions {
  /** Address of the control plane. */
  server: string;
  agentVersion: string;
  /** Name of a client that is made for this agent. */
  clientName?: string;
  transport: TransportChoice;
  /** Connect to relays without TLS. */
  plaintext: boolean;
  /** What may be dialled: these rules, and of what they do not cover everything or nothing. */
  allow: { rules: AllowRule[]; others: 'allowed' | 'denied' };
  /** Accept any certificate of `https` targets. */
  insecureTargets: boolean;
  /** Address at which local ports of private mappings are opened. */
  listenHost: string;
}

/**
 * A tunnel agent: it gets its identity and configuration from the control plane, stays connected to a relay, serves
 * targets and opens local ports. It writes nothing anywhere: everything is told by events.
 */
export class Agent {
  readonly traffic = new Traffic();
  readonly #deps: Required<Omit<AgentDeps, 'httpTransport'>>;
  readonly #bindings = new BindingTable();
  readonly #allowList: AllowList;
  readonly #identity: Identity;
  readonly #config: ConfigSync;
  readonly #listeners: SourceListeners;
  readonly #visitor: Visitor;
  readonly #loop: ServingLoop;
  readonly #timers: (() => void)[] = [];
  #running: Promise<Ending> | null = null;

  constructor(deps: AgentDeps, options: AgentOptions) {
    const { credentials, emit, clock = systemClock, wallNow = Date.now, random = Math.random } = deps;
    this.#deps = { credentials, emit, clock, wallNow, random };
    const caller = new ApiCaller(deps.httpTransport === undefined ? {} : { transport: deps.httpTransport }, {
      server: options.server,
      userAgent: `tunnox/${options.agentVersion}`,
    });
    const { agentVersion, clientName } = options;
    this.#identity = new Identity(
      { api: new AgentApi(caller), credentials, clock },
      {
        agentVersion,
        ...(clientName === undefined ? {} : { clientName }),
        configVersion: () => this.#config.since,
        onSession: (session, how) => this.#onSession(session, how),
      },
    );
    this.#allowList = new AllowList(options.allow.rules, options.allow.others);
    this.#config = new ConfigSync(
      {
        fetch: (since, signal) => this.#identity.config(since, signal),
        apply: async (config) => {
          this.#bindings.replace(config);
          await this.#listen();
          return this.#problems();
        },
        clock,
        random,
      },
      (applied) => this.#onApplied(applied),
    );
    const targets = new TargetServer({
      bindings: this.#bindings,
      dialer: new TargetDialer(
        { allowList: this.#allowList, lookup: cachedLookup(systemLookup, clock) },
        { insecureTls: options.insecureTargets },
      ),
      traffic: this.traffic,
      configSettled: () => this.#configSettled(),
      onFailed: (bindingId, error) => this.#tunnelFailed(bindingId, error),
    });
    const connector = new Connector(
      { clock, onTunnel: (stream, bindingId, headers) => void targets.serve(stream, bindingId, headers) },
      {
        transport: options.transport,
        plaintext: options.plaintext,
        agentVersion,
        instanceId: makeUlid(Date.now(), randomBytes(16)),
      },
    );
    this.#visitor = new Visitor(
      { connector, identity: this.#identity, clock, random, renew: () => void this.#loop.refresh() },
      () => emit({ type: 'visiting', connected: this.#visitor.connected }),
    );
    this.#listeners = new SourceListeners(
      {
        open: (binding, signal) => this.#visitor.open(binding, signal),
        traffic: this.traffic,
        onFailed: (bindingId, error) => this.#tunnelFailed(bindingId, error),
        clock,
        random,
        onProblems: () => this.#config.reportProblems(this.#problems()),
      },
      options.listenHost,
    );
    this.#loop = new ServingLoop({
      identity: this.#identity,
      connector,
      clock,
      random,
      emit,
      onConnected: (link) => this.#onConnected(link),
      onNotice: (message) => this.#onNotice(message),
    });
  }

  /** The control plane's last session answer; null before the first. */
  get session(): AgentSession | null {
    return this.#identity.session;
  }

  /** Relay of the connection in use; null while there is none. */
  get nodeId(): string | null {
    return this.#loop.link?.nodeId ?? null;
  }

  /** Round trip to the relay in milliseconds; null when it is not known. */
  get latencyMs(): number | null {
    return this.#loop.link?.latencyMs ?? null;
  }

  /** True while private mappings of which this agent is the source can be used. */
  get visiting(): boolean {
    return this.#visitor.connected;
  }

  /** Starts the agent, or joins the running one; resolves with how it ended. */
  run(): Promise<Ending> {
    this.#running ??= this.#run();
    return this.#running;
  }

  /** Ends the agent: it says goodbye and closes everything. Resolves when that is done. */
  async stop(): Promise<void> {
    this.#loop.end({ code: 'stopped', message: 'Stopped' });
    await this.#running;
  }

  /** Fetches the configuration now; the relay's word comes by itself, but later. */
  refreshConfig(): Promise<void> {
    return this.#config.refresh();
  }

  async #run(): Promise<Ending> {
    const { clock, emit, wallNow } = this.#deps;
    this.#timers.push(
      watchStalls(clock, wallNow, () => this.#onAwake()),
      this.#keepRenewed(),
    );
    const ending = await this.#loop.run();
    for (const stop of this.#timers.splice(0)) stop();
    this.#config.stop();
    await this.#listeners.stop();
    this.#visitor.stop();
    await this.#loop.leave(ending.code === 'stopped');
    emit({ type: 'ended', ending });
    return ending;
  }

  #keepRenewed(): () => void {
    let timer: { cancel(): void };
    const begin = (): void => {
      timer = this.#deps.clock.timer(RENEWAL_CHECK_MS, () => {
        if (this.#loop.link !== null && this.#identity.renewalDue) void this.#loop.refresh();
        begin();
      });
    };
    begin();
    return () => timer.cancel();
  }

  #onSession(session: AgentSession, how: { isNewClient: boolean; claimedFrom: number | null }): void {
    const { isNewClient: newClient, claimedFrom } = how;
    // The visiting connection is still the old client's.
    if (newClient) this.#visitor.stop();
    this.#deps.emit({ type: 'session', session, newClient, claimedFrom });
    void this.#config.take(session.config, newClient);
  }

  #onConnected(link: Link): void {
    // Where this connection stands the other one will, too: the end of its back-off need not be waited for.
    this.#visitor.tryNow();
    const { applied } = this.#config;
    // The relay says which version there is; it answers this one only when there is a newer.
    if (applied.version >= 0) link.send(configReport(applied));
    // Beside the traffic, which waits for nothing: the new code is shown, so that the old one is worth nothing any more.
    if (this.#identity.unconfirmed) void this.#loop.refresh();
  }

  #onNotice(message: RelayMessage): void {
    if (message.type === 'config_changed') this.#config.changed(message.version);
    if (message.type === 'limits') this.#deps.emit({ type: 'limits', limits: message });
  }

  #onApplied(applied: AppliedConfig): void {
    const { version, problems } = applied;
    this.#loop.link?.send(configReport(applied));
    this.#deps.emit({ type: 'config', version, bindings: this.#bindings.all, problems });
  }

  async #listen(): Promise<void> {
    const { sources } = this.#bindings;
    if (sources.length > 0) this.#visitor.start();
    else this.#visitor.stop();
    await this.#listeners.replace(sources);
  }

  #problems(): AppliedConfig['problems'] {
    return [...this.#bindings.problems(this.#allowList), ...this.#listeners.problems];
  }

  /** Waits for a configuration that is on its way, but not for a control plane that is away. */
  async #configSettled(): Promise<void> {
    // What the relay said before the tunnel may be heard after it: they are different streams.
    await setImmediate();
    return new Promise((resolve) => {
      const timer = this.#deps.clock.timer(CONFIG_WAIT_MS, resolve);
      void this.#config.settled().then(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  #onAwake(): void {
    this.#loop.check(AWAKE_CHECK_MS);
    this.#visitor.check(AWAKE_CHECK_MS);
    if (this.#loop.link !== null) void this.#config.refresh();
  }

  #tunnelFailed(
    bindingId: string,
    error: { tunnelCause: Extract<AgentEvent, { type: 'tunnel_failed' }>['cause']; message: string },
  ): void {
    this.#deps.emit({ type: 'tunnel_failed', bindingId, cause: error.tunnelCause, message: error.message });
  }
}
