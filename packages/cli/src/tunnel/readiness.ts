import type { Agent } from '@tunnox/agent/agent';
import type { AgentState } from '@tunnox/agent/state';
import type { AgentSession } from '@tunnox/domain/agent-api';
import type { AgentBinding } from '@tunnox/domain/agent-config';
import type { CliEvent, ShownBinding } from '../output/cli-event.ts';
import { type Status, tunnelRows } from '../output/status.ts';
import { shownBindings } from './shown-bindings.ts';
import type { Tunnel } from './tunnel.ts';

type ReadyEvent = Extract<CliEvent, { event: 'ready' }>;

interface Problem {
  binding_id: string;
  code: string;
  message: string;
}

/** Puts together what an agent has told: is the tunnel usable, and how does it stand? */
export class Readiness {
  readonly #agent: Pick<Agent, 'nodeId' | 'latencyMs' | 'visiting' | 'traffic'>;
  readonly #server: string;
  /** True for commands with a tunnel of their own; `run` has those that the server gives. */
  readonly #awaitsTunnel: boolean;
  #session: AgentSession | null = null;
  #tunnel: Tunnel | null = null;
  #applied: { bindings: AgentBinding[]; problems: Problem[] } | null = null;
  #shown: ShownBinding[] = [];
  #relay: { nodeId: string; region: string; transport: string } | null = null;
  #state: AgentState['kind'] = 'idle';
  #ready = false;
  #notice: string | null = null;
  /** What keeps the agent from its relay; null while it is connected. */
  #setback: Status['lastProblem'] = null;
  #lastProblem: Status['lastProblem'] = null;
  /** By `performance.now()`; null while something is tried, or nothing needs to be. */
  #nextTryMs: number | null = null;

  constructor(
    agent: Pick<Agent, 'nodeId' | 'latencyMs' | 'visiting' | 'traffic'>,
    server: string,
    awaitsTunnel: boolean,
  ) {
    this.#agent = agent;
    this.#server = server;
    this.#awaitsTunnel = awaitsTunnel;
  }

  state(state: AgentState): void {
    this.#state = state.kind;
    this.#nextTryMs = null;
  }

  session(session: AgentSession): void {
    this.#session = session;
  }

  notice(message: string): void {
    this.#notice = message;
  }

  connected(relay: { nodeId: string; region: string; transport: string }): void {
    this.#relay = relay;
    this.#setback = null;
  }

  tunnel(tunnel: Tunnel): void {
    this.#tunnel = tunnel;
  }

  /** The connection is gone, or could not be made: over as soon as one stands. */
  setback(message: string): void {
    this.#setback = { message, at: new Date() };
  }

  /** The next try comes after `delayMs`. */
  waiting(delayMs: number): void {
    this.#nextTryMs = performance.now() + delayMs;
  }

  problem(message: string): void {
    this.#lastProblem = { message, at: new Date() };
  }

  /** @returns True when an agent that is ready does something else from now on. */
  config(bindings: AgentBinding[], problems: Problem[]): boolean {
    const shown = shownBindings(bindings);
    const changed = JSON.stringify(shown) !== JSON.stringify(this.#shown);
    this.#applied = { bindings, problems };
    this.#shown = shown;
    return changed && this.#ready;
  }

  get bindings(): ShownBinding[] {
    return this.#shown;
  }

  /** What the command was started for, while the server does not want it from this agent any more. */
  get lostTunnel(): Tunnel | null {
    return this.#ready && this.#tunnel !== null && this.#shownOf(this.#tunnel) === undefined ? this.#tunnel : null;
  }

  /** What keeps the tunnel from ever becoming ready. */
  get blockedBy(): { code: string; message: string } | null {
    if (this.#ready || this.#tunnel === null) return null;
    const { bindingId } = this.#tunnel;
    return this.#applied?.problems.find(({ binding_id }) => binding_id === bindingId) ?? null;
  }

  /** The event, at the moment from which on the tunnel is usable; null before and after. */
  becomesReady(): ReadyEvent | null {
    const { nodeId } = this.#agent;
    if (this.#ready || nodeId === null || this.#session === null || this.#applied === null) return null;
    const clientId = this.#session.client_id;
    const common = { event: 'ready', client_id: clientId, node_id: nodeId, bindings: this.#shown } as const;
    if (!this.#awaitsTunnel) {
      this.#ready = true;
      const urls = this.#shown.flatMap(({ url }) => (url === null ? [] : [url]));
      return { ...common, url: urls[0] ?? null, urls };
    }
    const tunnel = this.#tunnel;
    if (tunnel === null || !this.#serves(tunnel)) return null;
    this.#ready = true;
    const { url, urls, target, localPort } = tunnel;
    return { ...common, url, urls, target, ...(localPort === undefined ? {} : { local_port: localPort }) };
  }

  status(): Status {
    const { traffic, latencyMs, nodeId } = this.#agent;
    return {
      state: this.#shownState(),
      nextTryMs: this.#nextTryMs === null ? null : Math.max(this.#nextTryMs - performance.now(), 0),
      server: this.#server,
      clientId: this.#session?.client_id ?? null,
      anonymous: this.#session?.client_type === 'anonymous',
      nodeId,
      region: this.#relay?.region ?? null,
      transport: this.#relay?.transport ?? null,
      latencyMs,
      tunnels: this.#rows(),
      connectionsOpen: traffic.open,
      connectionsTotal: traffic.total,
      bytesIn: traffic.bytesIn,
      bytesOut: traffic.bytesOut,
      notice: this.#notice,
      lastProblem: this.#setback ?? this.#lastProblem,
    };
  }

  #shownState(): Status['state'] {
    if (this.#state === 'ended') return 'stopped';
    if (this.#state === 'connected' && (this.#ready || !this.#awaitsTunnel)) return 'online';
    return this.#ready ? 'reconnecting' : 'connecting';
  }

  #rows(): Status['tunnels'] {
    if (this.#tunnel === null || this.lostTunnel !== null) return tunnelRows(this.#shown);
    const { urls, localPort, bindingId } = this.#tunnel;
    const target = this.#shownOf(this.#tunnel)?.target ?? this.#tunnel.target;
    // Whoever opened something by an earlier command sees that it is open again.
    const others = this.#shown.filter(({ binding_id }) => binding_id !== bindingId);
    return [{ from: localPort === undefined ? urls : [`localhost:${localPort}`], to: target }, ...tunnelRows(others)];
  }

  #shownOf({ bindingId }: Tunnel): ShownBinding | undefined {
    return this.#shown.find(({ binding_id }) => binding_id === bindingId);
  }

  #serves(tunnel: Tunnel): boolean {
    const binding = this.#applied?.bindings.find(({ binding_id }) => binding_id === tunnel.bindingId);
    if (binding === undefined || !binding.enabled) return false;
    return binding.role === 'target' || this.#agent.visiting;
  }
}
