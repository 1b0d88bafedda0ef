import type { ConfigProblem } from '@tunnox/protocol/control-message';
import { backoffDelayMs } from '../backoff.ts';
import type { Clock } from '../clock.ts';
import type { SourceBinding } from '../config/binding-table.ts';
import { portProblem } from './port-problem.ts';
import { SourceListener, type SourceListenerDeps } from './source-listener.ts';

export interface SourceListenersDeps extends SourceListenerDeps {
  clock: Clock;
  /** Uniform in [0, 1). */
  random: () => number;
  /** Problems have changed without a call of `replace()`. */
  onProblems: () => void;
}

/** The local ports of all private mappings of which this agent is the source. */
export class SourceListeners {
  readonly #deps: SourceListenersDeps;
  readonly #host: string;
  readonly #listeners = new Map<string, SourceListener>();
  readonly #problems = new Map<string, ConfigProblem>();
  #wanted: SourceBinding[] = [];
  #retry: { cancel(): void } | null = null;
  /** Tries in a row after which some port was still somebody else's. */
  #failures = 0;
  #work: Promise<void> = Promise.resolve();

  /** @param host Address at which the ports are opened. */
  constructor(deps: SourceListenersDeps, host: string) {
    this.#deps = deps;
    this.#host = host;
  }

  /** Ports that are not open, and why. */
  get problems(): ConfigProblem[] {
    return [...this.#problems.values()];
  }

  /** Opens and closes ports until they are those of `bindings`. Never throws: see `problems`. */
  replace(bindings: SourceBinding[]): Promise<void> {
    this.#wanted = bindings;
    // What is wanted may be another port now: it is tried as often as at first.
    this.#failures = 0;
    return this.#enqueue();
  }

  async stop(): Promise<void> {
    await this.replace([]);
  }

  #enqueue(): Promise<void> {
    this.#work = this.#work.then(() => this.#reconcile());
    return this.#work;
  }

  async #reconcile(): Promise<void> {
    this.#retry?.cancel();
    this.#retry = null;
    const wanted = new Map(this.#wanted.map((binding) => [keyOf(binding), binding]));
    for (const [key, listener] of this.#listeners) {
      if (wanted.has(key)) continue;
      this.#listeners.delete(key);
      listener.close();
    }
    this.#problems.clear();
    for (const [key, binding] of wanted) {
      const existing = this.#listeners.get(key);
      if (existing === undefined) await this.#open(key, binding);
      else existing.binding = binding;
    }
    if (this.#problems.size === 0) {
      this.#failures = 0;
      return;
    }
    this.#failures += 1;
    const delayMs = backoffDelayMs(this.#failures, this.#deps.random);
    this.#retry = this.#deps.clock.timer(delayMs, () => void this.#tryAgain());
  }

  async #tryAgain(): Promise<void> {
    const before = JSON.stringify(this.problems);
    await this.#enqueue();
    if (JSON.stringify(this.problems) !== before) this.#deps.onProblems();
  }

  async #open(key: string, binding: SourceBinding): Promise<void> {
    const { binding_id, local_port: port } = binding;
    const holder = [...this.#listeners.values()].find((each) => each.binding.local_port === port);
    if (holder !== undefined) {
      const message = `Port ${port} is that of ${holder.binding.binding_id} already`;
      this.#problems.set(key, { binding_id, code: 'port_in_use', message });
      return;
    }
    const listener = new SourceListener(this.#deps, binding);
    try {
      await listener.listen(this.#host);
      this.#listeners.set(key, listener);
    } catch (error) {
      this.#problems.set(key, { binding_id, ...portProblem(this.#host, port, error) });
    }
  }
}

function keyOf(binding: SourceBinding): string {
  return `${binding.binding_id} ${binding.local_port}`;
}
