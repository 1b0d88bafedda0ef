import type { RelayMessage, Refused } from '@tunnox/protocol/control-message';
import type { AgentEvent } from './agent-event.ts';
import { backoffDelayMs } from './backoff.ts';
import type { Clock } from './clock.ts';
import type { Identity, RenewOutcome } from './identity/identity.ts';
import { concernsRelayOnly, type Connector } from './link/connector.ts';
import type { Link } from './link/link.ts';
import { Outage } from './outage.ts';
import { type AgentInput, type AgentState, type Ending, STABLE_MS, transition } from './state.ts';

/** Failed rounds after which the list of relays is fetched again beside the tries: perhaps all of them have gone. */
const ROUNDS_BEFORE_REFRESH = 2;
/** Time for the tunnels of a connection that was left, once another one stands; its relay may end them sooner. */
const LEFT_BEHIND_MS = 300_000;

export interface ServingLoopDeps {
  identity: Identity;
  connector: Connector;
  clock: Clock;
  random: () => number;
  emit: (event: AgentEvent) => void;
  /** A relay has welcomed the agent. */
  onConnected: (link: Link) => void;
  /** Messages that do not concern the connection itself: configuration and limits. */
  onNotice: (message: RelayMessage) => void;
}

/** Drives the agent's life (`state.ts`): does what the state asks for, and takes what comes of it as the next input. */
export class ServingLoop {
  readonly #deps: ServingLoopDeps;
  readonly #outage: Outage;
  /** Relays that asked to be left, until another one has taken the agent. */
  readonly #avoid = new Set<string>();
  #state: AgentState = { kind: 'idle' };
  #link: Link | null = null;
  /** Connections that are left as soon as another one stands. */
  readonly #leaving = new Set<Link>();
  /** Every connection that may still carry tunnels. */
  readonly #open = new Set<Link>();
  readonly #ended = new AbortController();
  #connectedMs = 0;
  #step = new AbortController();
  #wake: (() => void) | null = null;

  constructor(deps: ServingLoopDeps) {
    this.#deps = deps;
    this.#outage = new Outage(deps.clock);
  }

  get state(): AgentState {
    return this.#state;
  }

  /** The connection on which the agent is attached now. */
  get link(): Link | null {
    return this.#link;
  }

  /** Runs until the agent has ended; resolves with how. Called once. */
  async run(): Promise<Ending> {
    this.#take({ kind: 'start' });
    for (;;) {
      const { state } = this;
      if (state.kind === 'ended') return state.ending;
      this.#step = new AbortController();
      const input = await this.#act(state, this.#step.signal);
      if (input !== null) this.#take(input);
    }
  }

  /** Ends the agent, from whatever it does. */
  end(ending: Ending): void {
    this.#take({ kind: 'final', ending });
    this.#step.abort();
    this.#ended.abort();
  }

  /** Closes every connection; `politely`: with a goodbye, so that the client is offline at once. */
  async leave(politely: boolean): Promise<void> {
    const link = this.#link;
    this.#link = null;
    for (const left of this.#open) if (left !== link) left.destroy();
    if (politely) await link?.leave();
    link?.destroy();
  }

  /** Something says that a connection may be dead, or may succeed now. */
  check(timeoutMs: number): void {
    this.#link?.check(timeoutMs);
    this.#wake?.();
  }

  #take(input: AgentInput): void {
    const next = transition(this.#state, input);
    if (next === this.#state) return;
    this.#state = next;
    this.#deps.emit({ type: 'state', state: next });
  }

  /** @returns null when the step was interrupted: the state has changed meanwhile. */
  async #act(state: Exclude<AgentState, { kind: 'ended' }>, signal: AbortSignal): Promise<AgentInput | null> {
    switch (state.kind) {
      case 'idle':
        throw new Error("Cannot act in state 'idle'");
      case 'session':
        return this.#renew(signal);
      case 'connecting':
        return this.#connect(state.attempt, signal);
      case 'connected': {
        const input = await this.#serve(signal);
        // One that did not stand belongs to the outage before it.
        if (this.#deps.clock.now() - this.#connectedMs >= STABLE_MS) this.#outage.begin();
        return input;
      }
      case 'backing-off': {
        const { random, emit } = this.#deps;
        const delayMs = Math.max(state.delayMsMin, backoffDelayMs(state.attempt, random, this.#outage.delayMsMax));
        emit({ type: 'waiting', delayMs });
        return this.#pause(delayMs, signal);
      }
      default:
        return state satisfies never;
    }
  }

  async #renew(signal: AbortSignal): Promise<AgentInput | null> {
    const outcome = await this.#deps.identity.renew(signal);
    this.#note(outcome);
    return signal.aborted ? null : this.#inputOf(outcome);
  }

  #inputOf(outcome: RenewOutcome): AgentInput {
    switch (outcome.kind) {
      case 'ready':
        return { kind: 'session_ready' };
      case 'final':
        return { kind: 'final', ending: outcome.ending };
      case 'failed':
        this.#setback(outcome.error.code, outcome.error.detail);
        return { kind: 'session_failed', retryAfterMs: outcome.retryAfterMs };
      default:
        return outcome satisfies never;
    }
  }

  async #connect(attempt: number, signal: AbortSignal): Promise<AgentInput | null> {
    const { identity, connector } = this.#deps;
    const { ticket, session } = identity;
    if (ticket === null || session === null) return { kind: 'ticket_rejected' };
    if (attempt >= ROUNDS_BEFORE_REFRESH) void this.refresh();
    const outcome = await connector.connect('serve', ticket, session.relays, this.#avoid, signal);
    if (signal.aborted) {
      if (outcome.kind === 'welcomed') outcome.link.destroy();
      return null;
    }
    switch (outcome.kind) {
      case 'welcomed':
        this.#attach(outcome.link);
        return { kind: 'welcomed', nodeId: outcome.link.nodeId };
      case 'refused':
        this.#setback(outcome.refused.code, outcome.refused.message);
        return this.#refused(outcome.refused, ticket);
      case 'failed':
        this.#outage.relaysFailed(outcome.errors);
        this.#setback('relay_unreachable', outcome.message);
        return { kind: 'connect_failed', retryAfterMs: outcome.retryAfterMs };
      default:
        return outcome satisfies never;
    }
  }

  /** Renews the session beside what goes on; an end that the control plane pronounces ends the agent. */
  async refresh(): Promise<void> {
    const outcome = await this.#deps.identity.renew(this.#ended.signal);
    this.#note(outcome);
    if (outcome.kind === 'final') this.end(outcome.ending);
  }

  #note(outcome: RenewOutcome): void {
    if (outcome.kind === 'failed') this.#outage.controlPlaneFailed(outcome.error);
  }

  #refused(refused: Refused, ticket: string): AgentInput {
    switch (refused.code) {
      case 'deleted':
      case 'protocol_unsupported':
        return { kind: 'final', ending: { code: refused.code, message: refused.message } };
      default:
        this.#deps.identity.rejectTicket(ticket);
        return { kind: 'ticket_rejected' };
    }
  }

  #attach(link: Link): void {
    const { clock, emit, onConnected } = this.#deps;
    this.#link = link;
    this.#connectedMs = clock.now();
    this.#avoid.clear();
    const { relay, transport } = link.candidate;
    for (const left of this.#leaving) left.retire(LEFT_BEHIND_MS);
    this.#leaving.clear();
    this.#open.add(link);
    void link.gone.then(() => this.#open.delete(link));
    emit({ type: 'connected', nodeId: relay.node_id, region: relay.region, transport });
    onConnected(link);
  }

  /** Resolves when the connection is over, or another one is needed. */
  #serve(signal: AbortSignal): Promise<AgentInput | null> {
    const link = this.#link;
    if (link === null) return Promise.resolve({ kind: 'lost', stoodMs: 0 });
    return new Promise((resolve) => {
      const finish = (input: AgentInput | null): void => {
        signal.removeEventListener('abort', interrupted);
        resolve(input);
      };
      const interrupted = (): void => finish(null);
      signal.addEventListener('abort', interrupted, { once: true });
      link.listen({
        message: (message) => {
          const input = this.#inputOfMessage(message, link);
          if (input !== null) finish(input);
        },
        closed: () => {
          if (this.#link === link) this.#link = null;
          if (!signal.aborted) this.#setback('connection_lost', `The connection to ${link.nodeId} was lost`);
          finish({ kind: 'lost', stoodMs: this.#stoodMs });
        },
      });
    });
  }

  #inputOfMessage(message: RelayMessage, link: Link): AgentInput | null {
    switch (message.type) {
      case 'drain':
        this.#avoid.add(link.nodeId);
        this.#leaveSoon(link);
        return { kind: 'moving' };
      case 'claimed':
        this.#deps.identity.rejectTicket(this.#deps.identity.session?.ticket ?? '');
        this.#leaveSoon(link);
        return { kind: 'ticket_rejected', stoodMs: this.#stoodMs };
      case 'disabled':
        this.#deps.identity.rejectTicket(this.#deps.identity.session?.ticket ?? '');
        this.#drop(link, message);
        return { kind: 'ticket_rejected', stoodMs: this.#stoodMs };
      case 'disconnected':
        this.#drop(link, message);
        return { kind: 'lost', stoodMs: this.#stoodMs };
      case 'replaced':
      case 'deleted':
        return { kind: 'final', ending: { code: message.type, message: message.message } };
      case 'refused':
        // An attached agent is turned away: the relay has heard from the control plane only now.
        if (message.code === 'replaced') {
          return { kind: 'final', ending: { code: 'replaced', message: message.message } };
        }
        this.#drop(link, null);
        if (concernsRelayOnly(message)) return { kind: 'lost', stoodMs: this.#stoodMs };
        return this.#refused(message, this.#deps.identity.session?.ticket ?? '');
      case 'welcome':
        return null;
      case 'config_changed':
      case 'limits':
        this.#deps.onNotice(message);
        return null;
      default:
        return message satisfies never;
    }
  }

  /**
   * Make before break: the connection serves on until another one stands. What its relay still says, such as `replaced`
   * by ourselves, is of no interest.
   */
  #leaveSoon(link: Link): void {
    this.#link = null;
    this.#leaving.add(link);
    link.unlisten();
  }

  /** Its relay has ended the session. @param word What it said, for whoever runs the agent; null: told elsewhere. */
  #drop(link: Link, word: { type: string; message: string } | null): void {
    this.#link = null;
    link.unlisten();
    link.destroy();
    if (word !== null) this.#setback(word.type, word.message);
  }

  /** For how long the last connection has stood, in milliseconds. */
  get #stoodMs(): number {
    return this.#deps.clock.now() - this.#connectedMs;
  }

  #pause(delayMs: number, signal: AbortSignal): Promise<AgentInput | null> {
    return new Promise((resolve) => {
      const settle = (): void => {
        timer.cancel();
        this.#wake = null;
        signal.removeEventListener('abort', settle);
        resolve(signal.aborted ? null : { kind: 'waited' });
      };
      const timer = this.#deps.clock.timer(delayMs, settle);
      this.#wake = settle;
      signal.addEventListener('abort', settle, { once: true });
    });
  }

  #setback(code: string, message: string): void {
    this.#deps.emit({ type: 'setback', code, message });
  }
}
