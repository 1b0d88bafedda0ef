import type { Clock } from '../clock.ts';

export interface RaceOptions<T> {
  /** Head start of each try over the next one. */
  staggerMs: number;
  /** Ends a result that nobody wants any more. */
  discard: (result: T) => void;
}

/**
 * Makes tries in order, each with a head start over the next: one that fails is followed at once, one that hangs does
 * not hold up the others. Gives their results in the order in which they come, one at a time: no further try is begun
 * while the taker works with a result.
 */
export class Race<T> {
  readonly #clock: Clock;
  readonly #options: RaceOptions<T>;
  readonly #tries: ((signal: AbortSignal) => Promise<T>)[];
  readonly #aborts = new AbortController();
  readonly #ready: T[] = [];
  #running = 0;
  #taker: ((result: T | null) => void) | null = null;
  #timer: { cancel(): void } | null = null;
  /** What the failed tries threw. */
  readonly errors: unknown[] = [];

  constructor(clock: Clock, tries: ((signal: AbortSignal) => Promise<T>)[], options: RaceOptions<T>) {
    this.#clock = clock;
    this.#tries = [...tries];
    this.#options = options;
  }

  /** The next result; null when every try has failed, or after `cancel()`. */
  next(): Promise<T | null> {
    const result = this.#ready.shift();
    if (result !== undefined) return Promise.resolve(result);
    if (this.#aborts.signal.aborted) return Promise.resolve(null);
    return new Promise((resolve) => {
      this.#taker = resolve;
      // With nothing under way there is nobody to give a head start to.
      if (this.#timer === null || this.#running === 0) this.#begin();
    });
  }

  /** Ends the tries that still run and whatever they bring. */
  cancel(): void {
    if (this.#aborts.signal.aborted) return;
    this.#aborts.abort(new Error('Another relay is connected'));
    this.#timer?.cancel();
    this.#tries.length = 0;
    for (const result of this.#ready.splice(0)) this.#options.discard(result);
    this.#give(null);
  }

  #begin(): void {
    this.#timer?.cancel();
    this.#timer = null;
    const attempt = this.#tries.shift();
    if (attempt === undefined) return this.#giveUpIfOver();
    this.#running += 1;
    void this.#follow(attempt);
    if (this.#tries.length > 0) {
      this.#timer = this.#clock.timer(this.#options.staggerMs, () => {
        this.#timer = null;
        if (this.#taker !== null) this.#begin();
      });
    }
  }

  async #follow(attempt: (signal: AbortSignal) => Promise<T>): Promise<void> {
    try {
      const result = await attempt(this.#aborts.signal);
      this.#running -= 1;
      if (this.#aborts.signal.aborted) this.#options.discard(result);
      else if (this.#taker === null) this.#ready.push(result);
      else this.#give(result);
    } catch (error) {
      this.#running -= 1;
      if (this.#aborts.signal.aborted) return;
      this.errors.push(error);
      if (this.#taker !== null) this.#begin();
    }
  }

  #giveUpIfOver(): void {
    if (this.#running === 0 && this.#tries.length === 0) this.#give(null);
  }

  #give(result: T | null): void {
    const taker = this.#taker;
    this.#taker = null;
    taker?.(result);
  }
}
