export interface TimerWheelDeps {
  /** As `globalThis.setInterval`; the wheel lets the process end while it turns. */
  setInterval: (callback: () => void, ms: number) => unknown;
  clearInterval: (timer: unknown) => void;
}

/**
 * Calls many things at the same interval with one timer: each at its own place in the round, so that thousands of
 * sessions do not all wake in one turn. The timer stands still while nothing is on the wheel.
 */
export class TimerWheel {
  readonly #deps: TimerWheelDeps;
  readonly #spokes: Set<() => void>[];
  readonly #tickMs: number;
  #timer: unknown;
  #at = 0;
  #size = 0;

  /** @param options `roundMs`: interval at which each entry is called; `spokes`: places in a round. */
  constructor(deps: TimerWheelDeps, options: { roundMs: number; spokes: number }) {
    this.#deps = deps;
    this.#spokes = Array.from({ length: options.spokes }, () => new Set<() => void>());
    this.#tickMs = options.roundMs / options.spokes;
  }

  /** Entries on the wheel. */
  get size(): number {
    return this.#size;
  }

  /**
   * Calls `callback` once a round, the first time a whole round from now.
   *
   * @returns Takes it off again; may be called twice.
   */
  add(callback: () => void): () => void {
    // A function of its own: the same callback may be added twice.
    const entry = () => callback();
    const spoke = this.#spokes[this.#at] as Set<() => void>;
    spoke.add(entry);
    this.#size += 1;
    this.#timer ??= this.#start();
    return () => {
      if (!spoke.delete(entry)) return;
      this.#size -= 1;
      if (this.#size === 0) this.#stop();
    };
  }

  #start(): unknown {
    const timer = this.#deps.setInterval(() => this.#tick(), this.#tickMs);
    if (typeof timer === 'object' && timer !== null && 'unref' in timer) (timer as NodeJS.Timeout).unref();
    return timer;
  }

  #stop(): void {
    this.#deps.clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tick(): void {
    this.#at = (this.#at + 1) % this.#spokes.length;
    // A copy: an entry may take itself or others off while it is called.
    for (const entry of [...(this.#spokes[this.#at] as Set<() => void>)]) entry();
  }
}
