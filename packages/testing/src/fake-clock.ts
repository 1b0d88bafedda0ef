interface FakeTimer {
  at: number;
  order: number;
  callback: () => void;
}

/** A clock that stands still until the test moves it. Timers run in the order of their times, then of their making. */
export class FakeClock {
  #nowMs: number;
  #made = 0;
  readonly #timers = new Set<FakeTimer>();

  constructor(startMs = 1_000_000) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  timer(delayMs: number, callback: () => void): { cancel(): void } {
    const timer = { at: this.#nowMs + Math.max(0, delayMs), order: this.#made++, callback };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Moves the time and runs what becomes due, timers made meanwhile included. */
  advance(ms: number): void {
    const end = this.#nowMs + ms;
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.at);
      next.callback();
    }
    this.#nowMs = end;
  }

  #next(end: number): FakeTimer | undefined {
    let next: FakeTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.at > end) continue;
      if (next === undefined || timer.at < next.at || (timer.at === next.at && timer.order < next.order)) next = timer;
    }
    return next;
  }
}
