import { hostname } from 'node:os';
import { Agent, type AgentOptions } from '@tunnox/agent/agent';
import type { AgentEvent } from '@tunnox/agent/agent-event';
import type { CredentialKeeper } from '@tunnox/agent/identity/credential';
import type { Ending } from '@tunnox/agent/state';
import { ApiError } from '@tunnox/api-client/api-error';
import { ManagementApi } from '@tunnox/api-client/management-api';
import type { AgentSession } from '@tunnox/domain/agent-api';
import { CliError, toCliError } from '../cli-error.ts';
import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import type { CliEvent } from '../output/cli-event.ts';
import { openPrinter } from '../output/open-printer.ts';
import type { Printer } from '../output/printer.ts';
import { openServer, type Server } from '../server/open-server.ts';
import type { Settings } from '../settings.ts';
import { CLI_VERSION } from '../version.ts';
import { type LimitTurn, LimitWatch } from './limit-watch.ts';
import { Readiness } from './readiness.ts';
import type { EnsureTunnel, Tunnel } from './tunnel.ts';

/** A person waits this long for a server that is away; `run` waits for ever. */
const START_TIMEOUT_MS = 15_000;
/** The same trouble of the same binding is told this often. */
const REPEAT_PROBLEM_MS = 10_000;

export interface TunnelPlan {
  settings: Settings;
  /** Who the agent is. */
  credentials: CredentialKeeper;
  /** Makes the tunnel at the server; null: do whatever the server says (`run`). */
  ensure: EnsureTunnel | null;
  agent: Pick<AgentOptions, 'allow' | 'insecureTargets' | 'listenHost'>;
  /** Things to tell before the start. */
  warnings: { code: string; message: string }[];
}

/** Runs an agent until it ends or the user stops it. @returns the exit code */
export async function runTunnel(plan: TunnelPlan, io: Io): Promise<number> {
  const server = await openServer(plan.settings);
  return new TunnelRun(plan, io, server).run();
}

class TunnelRun {
  readonly #plan: TunnelPlan;
  readonly #io: Io;
  readonly #server: Server;
  readonly #agent: Agent;
  readonly #readiness: Readiness;
  readonly #limits = new LimitWatch();
  readonly #printer: Printer;
  readonly #toldProblems = new Map<string, number>();
  readonly #warnings: TunnelPlan['warnings'];
  #lastSetback: { code: string; message: string } | null = null;
  #failure: CliError | null = null;
  #ensuring = false;
  #undo: Tunnel['undo'];
  #undone: Promise<void> | undefined;
  #startTimer: NodeJS.Timeout | undefined;

  constructor(plan: TunnelPlan, io: Io, server: Server) {
    this.#plan = plan;
    this.#io = io;
    this.#server = server;
    this.#warnings = plan.warnings;
    const { settings } = plan;
    this.#agent = new Agent(
      {
        credentials: plan.credentials,
        emit: (event) => this.#on(event),
        ...(server.transport === undefined ? {} : { httpTransport: server.transport }),
      },
      {
        server: settings.server,
        agentVersion: CLI_VERSION,
        // What the owner of several clients will know this one by.
        ...(settings.apiKey === undefined ? {} : { clientName: hostname().slice(0, 64) }),
        transport: settings.transport,
        plaintext: settings.insecure,
        ...plan.agent,
      },
    );
    this.#readiness = new Readiness(this.#agent, settings.server, plan.ensure !== null);
    this.#printer = openPrinter(io, settings.json, () => this.#readiness.status());
  }

  async run(): Promise<number> {
    const { signal } = this.#io;
    const stop = (): void => void this.#agent.stop();
    signal.addEventListener('abort', stop, { once: true });
    this.#print({ event: 'connecting' });
    this.#flushWarnings();
    if (this.#plan.ensure !== null) this.#startTimer = setTimeout(() => this.#giveUp(), START_TIMEOUT_MS);
    if (signal.aborted) stop();
    try {
      const ending = await this.#agent.run();
      await this.#undone;
      return this.#conclude(ending);
    } finally {
      clearTimeout(this.#startTimer);
      signal.removeEventListener('abort', stop);
      await this.#printer.close();
    }
  }

  #on(event: AgentEvent): void {
    switch (event.type) {
      case 'state':
        this.#readiness.state(event.state);
        break;
      case 'session':
        this.#readiness.session(event.session);
        if (event.claimedFrom !== null) this.#tellClaimed(event.claimedFrom, event.session.client_id);
        void this.#ensure(event.session);
        break;
      case 'connected': {
        this.#lastSetback = null;
        const { nodeId, region, transport } = event;
        this.#readiness.connected(event);
        const clientId = this.#agent.session?.client_id ?? 0;
        this.#print({ event: 'connected', node_id: nodeId, client_id: clientId, region, transport });
        break;
      }
      case 'setback':
        this.#onSetback(event.code, event.message);
        break;
      case 'config': {
        const changed = this.#readiness.config(event.bindings, event.problems);
        for (const { binding_id, code, message } of event.problems) this.#problem(code, message, binding_id);
        if (changed) {
          this.#tellLost();
          this.#print({ event: 'config', version: event.version, bindings: this.#readiness.bindings });
        }
        break;
      }
      case 'tunnel_failed':
        // Visitors who leave are nobody's fault.
        if (event.cause !== 'lost') this.#problem(event.cause, event.message, event.bindingId);
        break;
      case 'limits':
        for (const turn of this.#limits.take(event.limits)) {
          if (turn.event === 'problem') this.#problem(turn.code, turn.message, turn.binding_id);
          else this.#resolved(turn);
        }
        break;
      case 'waiting':
        this.#readiness.waiting(event.delayMs);
        break;
      case 'visiting':
      case 'ended':
        break;
      default:
        return event satisfies never;
    }
    this.#flushWarnings();
    this.#tellReady();
  }

  #tellClaimed(before: number, clientId: number): void {
    const message = `client ${before} belongs to an account now, as client ${clientId}. Its names stay and do not end`;
    this.#readiness.notice(`Claimed: ${message}`);
    this.#print({ event: 'claimed', client_id: clientId, previous_client_id: before, message });
  }

  /** Another command of the same user may have taken the name, or somebody has changed it by the API. */
  #tellLost(): void {
    const lost = this.#readiness.lostTunnel;
    if (lost === null) return;
    const { bindingId, url, localPort } = lost;
    const what = url ?? (localPort === undefined ? bindingId : `localhost:${localPort}`);
    const message = `${what} leads here no more: it went to another client, or was switched off or deleted`;
    this.#problem('tunnel_gone', message, bindingId);
  }

  #onSetback(code: string, message: string): void {
    this.#lastSetback = { code, message };
    this.#readiness.setback(message);
    // Something that is not a Tunnox server, or that is not trusted, will not become one.
    // A client that is switched off may be switched on again, but nobody waits for that at a terminal.
    const isFinal = code === 'bad_answer' || code === 'server_untrusted' || code === 'client_disabled';
    if (isFinal && this.#startTimer !== undefined && this.#agent.session === null) return this.#giveUp();
    this.#print({ event: 'reconnecting', code, message });
  }

  /** Once, with the first session: a claimed client takes its tunnels along. */
  async #ensure(session: AgentSession): Promise<void> {
    const { ensure, settings } = this.#plan;
    if (ensure === null || this.#ensuring) return;
    this.#ensuring = true;
    try {
      const api = new ManagementApi(this.#server.caller, settings.apiKey ?? session.access_token);
      const tunnel = await ensure(api, session.client_id);
      this.#undo = tunnel.undo;
      // Before the tunnel counts: the agent may have had it already, with another target.
      await this.#agent.refreshConfig();
      this.#readiness.tunnel(tunnel);
      this.#tellReady();
    } catch (error) {
      if (error instanceof ApiError && error.code === 'client_claimed') {
        // Claimed in this very moment: the relay says so to the agent, and with its new session it begins again.
        this.#ensuring = false;
        const { session: now } = this.#agent;
        if (now !== null && now.client_id !== session.client_id) await this.#ensure(now);
        return;
      }
      this.#fail(toCliError(error));
    }
  }

  #tellReady(): void {
    const blocked = this.#readiness.blockedBy;
    if (blocked !== null) {
      this.#undone ??= this.#undo?.().catch((error: unknown) => this.#tellNotUndone(error));
      return this.#fail(new CliError(blocked.code, blocked.message));
    }
    const ready = this.#readiness.becomesReady();
    if (ready === null) return;
    clearTimeout(this.#startTimer);
    this.#startTimer = undefined;
    this.#print(ready);
  }

  #tellNotUndone(error: unknown): void {
    const { code, message } = toCliError(error);
    this.#problem(code, `What this command has made is still at the server: ${message}`, undefined);
  }

  #giveUp(): void {
    const { code, message } = this.#lastSetback ?? {
      code: 'timeout',
      message: `The tunnel did not come up within ${START_TIMEOUT_MS / 1000} s`,
    };
    this.#fail(toCliError(new ApiError({ code, status: null, detail: message })));
  }

  #fail(error: CliError): void {
    this.#failure ??= error;
    void this.#agent.stop();
  }

  #problem(code: string, message: string, bindingId: string | undefined): void {
    const key = `${code} ${bindingId ?? ''}`;
    const nowMs = performance.now();
    if (nowMs - (this.#toldProblems.get(key) ?? Number.NEGATIVE_INFINITY) < REPEAT_PROBLEM_MS) return;
    this.#toldProblems.set(key, nowMs);
    this.#readiness.problem(message);
    this.#print({ event: 'problem', code, message, ...(bindingId === undefined ? {} : { binding_id: bindingId }) });
  }

  #resolved(turn: LimitTurn): void {
    this.#toldProblems.delete(`${turn.code} ${turn.binding_id ?? ''}`);
    this.#readiness.problem(turn.message);
    this.#print({ ...turn, event: 'resolved' });
  }

  #flushWarnings(): void {
    for (const { code, message } of this.#warnings.splice(0)) this.#problem(code, message, undefined);
  }

  #conclude(ending: Ending): number {
    const error = this.#failure ?? errorOf(ending);
    if (error === null) {
      this.#print({ event: 'closed' });
      return EXIT.ok;
    }
    if (error.code === 'replaced') this.#print({ event: 'replaced', message: error.message });
    else this.#print({ event: 'error', code: error.code, message: error.message });
    return error.exitCode;
  }

  #print(event: CliEvent): void {
    this.#printer.print(event);
  }
}

function errorOf(ending: Ending): CliError | null {
  if (ending.code === 'stopped') return null;
  return toCliError(new ApiError({ code: ending.apiCode ?? ending.code, status: null, detail: ending.message }));
}
