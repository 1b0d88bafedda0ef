import type { Clock } from '../clock.ts';

export interface LookupGateOptions {
  /** Calls that run at one time. */
  runningMax: number;
  /** Calls that wait; more are turned away. */
  waitingMax: number;
  /** How long one waits before it is turned away. */
  waitMsMax: number;
}

interface Waiter {
  since: number;
  start: () => void;
  turnAway: () => void;
}

/** The gate is full. */
export class GateFull extends Error {
  constructor() {
    super('Too many look-ups are running');
    this.name = 'GateFull';
  }
}

/** Lets so many calls run at one time, and turns away what would wait too long. */
export class LookupGate {
  readonly #clock: Clock;
  readonly #options: LookupGateOptions;
  readonly #waiting: Waiter[] = [];
  #running = 0;

  constructor(clock: Clock, options: LookupGateOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** @throws {GateFull} when there is no place, in the gate or before it */
  async run<T>(call: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#options.runningMax) await this.#wait();
    else this.#running++;
    try {
      return await call();
    } finally {
      this.#next();
    }
  }

  #wait(): Promise<void> {
    const oldest = this.#waiting[0];
    if (oldest !== undefined && this.#clock.now() - oldest.since > this.#options.waitMsMax) this.#turnAwayLate();
    if (this.#waiting.length >= this.#options.waitingMax) return Promise.reject(new GateFull());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ since: this.#clock.now(), start: resolve, turnAway: () => reject(new GateFull()) });
    });
  }

  /** Hands the place of a call that has ended to the next one. */
  #next(): void {
    this.#turnAwayLate();
    const next = this.#waiting.shift();
    if (next === undefined) this.#running--;
    else next.start();
  }

  #turnAwayLate(): void {
    const now = this.#clock.now();
    while (this.#waiting[0] !== undefined && now - this.#waiting[0].since > this.#options.waitMsMax) {
      this.#waiting.shift()?.turnAway();
    }
  }
}
