import { ApiError } from '@tunnox/api-client/api-error';
import type { AgentConfig } from '@tunnox/domain/agent-config';
import type { ConfigProblem } from '@tunnox/protocol/control-message';
import { backoffDelayMs } from '../backoff.ts';
import type { Clock } from '../clock.ts';

export interface ConfigSyncDeps {
  /** Fetches what is newer than `since`; null: nothing is. */
  fetch: (since: number, signal: AbortSignal) => Promise<AgentConfig | null>;
  /** Puts a configuration into effect and says what of it could not be done. */
  apply: (config: AgentConfig) => Promise<ConfigProblem[]>;
  clock: Clock;
  random: () => number;
}

/** What is in effect. */
export interface AppliedConfig {
  version: number;
  problems: ConfigProblem[];
}

/**
 * Keeps the agent's configuration at the newest version that it has heard of: one fetch at a time, repeated until it
 * succeeds while the control plane is away.
 */
export class ConfigSync {
  readonly #deps: ConfigSyncDeps;
  readonly #onApplied: (applied: AppliedConfig) => void;
  readonly #stopped = new AbortController();
  #applied: AppliedConfig = { version: -1, problems: [] };
  #running: Promise<void> | null = null;
  /** Somebody asked while a fetch was running: its answer may be too old. */
  #again = false;
  #retry: { cancel(): void } | null = null;
  #failures = 0;
  #applying: Promise<void> = Promise.resolve();

  constructor(deps: ConfigSyncDeps, onApplied: (applied: AppliedConfig) => void) {
    this.#deps = deps;
    this.#onApplied = onApplied;
  }

  get applied(): AppliedConfig {
    return this.#applied;
  }

  /** A whole configuration has come (with a session). `replace`: it is another client's, versions do not compare. */
  take(config: AgentConfig, replace = false): Promise<void> {
    // One after the other: a listener that closes and one that opens may be the same port.
    this.#applying = this.#applying.then(async () => {
      if (this.#stopped.signal.aborted || (!replace && config.version <= this.#applied.version)) return;
      const problems = await this.#deps.apply(config);
      this.#applied = { version: config.version, problems };
      this.#onApplied(this.#applied);
    });
    return this.#applying;
  }

  /** What could not be done has changed without a new configuration: a port became free. */
  reportProblems(problems: ConfigProblem[]): void {
    this.#applied = { version: this.#applied.version, problems };
    this.#onApplied(this.#applied);
  }

  /** The relay speaks of `version`. */
  changed(version: number): void {
    if (version > this.#applied.version) void this.refresh();
  }

  /** Fetches what is newer now. Resolves when that is in effect, or the first try failed (more follow). */
  refresh(): Promise<void> {
    if (this.#running !== null) {
      this.#again = true;
      return this.#running;
    }
    this.#retry?.cancel();
    this.#retry = null;
    this.#running = this.#fetch().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  /** Resolves when no fetch is under way; at once when none is. */
  async settled(): Promise<void> {
    await this.#running;
    await this.#applying;
  }

  stop(): void {
    this.#stopped.abort();
    this.#retry?.cancel();
    this.#retry = null;
  }

  async #fetch(): Promise<void> {
    const { fetch, clock, random } = this.#deps;
    const { signal } = this.#stopped;
    do {
      this.#again = false;
      try {
        const config = await fetch(this.#applied.version, signal);
        this.#failures = 0;
        if (config !== null) await this.take(config);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        // A refusal for good is met again by the session call, which ends the agent.
        if (signal.aborted || !(error.retryable || error.code === 'bad_answer')) return;
        this.#failures += 1;
        const delayMs = Math.max(backoffDelayMs(this.#failures, random), (error.retryAfterS ?? 0) * 1000);
        this.#retry = clock.timer(delayMs, () => {
          this.#retry = null;
          void this.refresh();
        });
        return;
      }
    } while (this.#again && !signal.aborted);
  }
}
