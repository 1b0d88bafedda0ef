import { ApiError } from '@tunnox/api-client/api-error';
import type { AgentBinding, AgentConfig, AgentConfigAnswer } from '@tunnox/domain/agent-config';
import type { ConfigProblem } from '@tunnox/protocol/control-message';
import { backoffDelayMs } from '../backoff.ts';
import type { Clock } from '../clock.ts';

export interface ConfigSyncDeps {
  /** Fetches what is newer than `since` (-1: the whole); null: nothing is. */
  fetch: (since: number, signal: AbortSignal) => Promise<AgentConfigAnswer | null>;
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
  /** What is in effect, by id: changes are applied to it. */
  #bindings = new Map<string, AgentBinding>();
  /** Changes came to a version that is not here: the whole is needed. */
  #lost = false;
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

  /** Version to which changes may be asked for; -1: the whole is needed. */
  get since(): number {
    return this.#lost ? -1 : this.#applied.version;
  }

  /**
   * A configuration has come, whole or as what has changed. `replace`: it is another client's, versions do not compare.
   */
  take(answer: AgentConfigAnswer, replace = false): Promise<void> {
    // One after the other: a listener that closes and one that opens may be the same port.
    this.#applying = this.#applying.then(async () => {
      if (this.#stopped.signal.aborted || (!replace && answer.version <= this.since)) return;
      const config = this.#whole(answer, replace);
      this.#lost = config === null;
      if (config === null) {
        void this.refresh();
        return;
      }
      this.#bindings = new Map(config.bindings.map((binding) => [binding.binding_id, binding]));
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

  /** All that is to be in effect; null: the changes are not those of what is here. */
  #whole(answer: AgentConfigAnswer, replace: boolean): AgentConfig | null {
    if (!('since' in answer)) return answer;
    if (replace || this.#lost || answer.since > this.#applied.version) return null;
    const bindings = new Map(this.#bindings);
    for (const id of answer.removed) bindings.delete(id);
    for (const binding of answer.bindings) bindings.set(binding.binding_id, binding);
    return { version: answer.version, bindings: [...bindings.values()] };
  }

  async #fetch(): Promise<void> {
    const { fetch, clock, random } = this.#deps;
    const { signal } = this.#stopped;
    do {
      this.#again = false;
      try {
        const config = await fetch(this.since, signal);
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
