import type { Logger } from '@tunnox/observability/logger';
import type { RelayCounts, RelayPhase } from './admin/relay-status.ts';

/** A registered relay with all its parts, as its life moves it. */
export interface ServingRelay {
  readonly nodeId: string;
  readonly incarnation: string;
  counts(): RelayCounts;
  /** Listens everywhere and goes online. Resolves when the control plane has it as online. */
  start(signal: AbortSignal): Promise<void>;
  /** Tells the control plane, peers and agents that it is going. */
  announceLeaving(deadlineMs: number): void;
  /** Resolves when no DNS record leads here any more, when that could not be had, or when the signal is aborted. */
  leaveDns(signal: AbortSignal): Promise<void>;
  /** No new connections from now on. */
  stopAccepting(): void;
  /** Resolves when everything that ran has finished, or the signal is aborted. */
  finished(signal: AbortSignal): Promise<void>;
  /** Says the last words and ends everything that is left. */
  leave(): Promise<void>;
  /** Ends everything at once, without a word. */
  cut(): Promise<void>;
}

export interface RelayLifeDeps {
  /** Registers and builds; tries for as long as the control plane is away. */
  register: (signal: AbortSignal, orders: RelayOrders) => Promise<ServingRelay>;
  log: Logger;
}

/** What the control plane may want of the whole relay. */
export interface RelayOrders {
  drain: (deadlineMs: number) => void;
  superseded: () => void;
}

/** Why the relay has ended. */
export type RelayEnd = 'drained' | 'superseded' | 'aborted';

/** Peers and load balancers learn within this that nobody new should come; until then new visitors are served. */
const NOTICE_MS = 1000;

/** Longer than the control plane waits for its DNS provider; visitors are served all the while. */
const DNS_MS_MAX = 5000;

/** Registering, online, draining, stopped: in this order, once. */
export class RelayLife {
  readonly #deps: RelayLifeDeps;
  readonly #aborter = new AbortController();
  #phase: RelayPhase = 'registering';
  #relay: ServingRelay | null = null;
  #draining: Promise<void> | null = null;
  #resolveEnd: (end: RelayEnd) => void = () => {};
  /** Settles when the relay has ended. */
  readonly ended: Promise<RelayEnd>;

  constructor(deps: RelayLifeDeps) {
    this.#deps = deps;
    this.ended = new Promise((resolve) => {
      this.#resolveEnd = resolve;
    });
  }

  get phase(): RelayPhase {
    return this.#phase;
  }

  counts(): RelayCounts | null {
    return this.#relay?.counts() ?? null;
  }

  /**
   * Resolves to the relay when it is online; null when it was told to end before.
   *
   * @throws when it cannot register or listen
   */
  async start(): Promise<ServingRelay | null> {
    const { signal } = this.#aborter;
    try {
      const relay = await this.#deps.register(signal, {
        drain: (deadlineMs) => void this.drain(deadlineMs),
        superseded: () => void this.#end('superseded'),
      });
      this.#relay = relay;
      signal.throwIfAborted();
      this.#phase = 'starting';
      await relay.start(signal);
      signal.throwIfAborted();
      this.#phase = 'online';
      return relay;
    } catch (error) {
      if (!signal.aborted) {
        await this.#end('aborted');
        throw error;
      }
      await this.#relay?.cut();
      return null;
    }
  }

  /** Lets what runs finish, at most for `deadlineMs`, and ends. Called again it changes nothing. */
  drain(deadlineMs: number): Promise<void> {
    this.#draining ??= this.#drain(deadlineMs);
    return this.#draining;
  }

  /** Ends at once. */
  abort(): Promise<void> {
    return this.#end('aborted');
  }

  async #drain(deadlineMs: number): Promise<void> {
    const relay = this.#relay;
    if (relay === null || this.#phase !== 'online') return this.#end('drained');
    this.#phase = 'draining';
    this.#deps.log.info({ deadline_ms: deadlineMs }, 'Draining: running tunnels may finish, agents are told to move');
    const signal = AbortSignal.timeout(deadlineMs);
    relay.announceLeaving(deadlineMs);
    await Promise.all([
      pause(Math.min(NOTICE_MS, deadlineMs / 4)),
      relay.leaveDns(AbortSignal.any([this.#aborter.signal, AbortSignal.timeout(DNS_MS_MAX)])),
    ]);
    relay.stopAccepting();
    await relay.finished(signal);
    await relay.leave();
    return this.#end('drained');
  }

  async #end(end: RelayEnd): Promise<void> {
    if (this.#phase === 'stopped') return;
    this.#phase = 'stopped';
    this.#aborter.abort(new Error('The relay was told to end'));
    await this.#relay?.cut();
    this.#resolveEnd(end);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
