export interface BackoffOptions {
  firstMs: number;
  maxMs: number;
}

/** Waiting times between tries: doubled up to a maximum, each drawn between its half and its whole (jitter). */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: () => number;
  #tries = 0;

  /** @param random 0 (included) to 1 */
  constructor(random: () => number, options: BackoffOptions) {
    this.#random = random;
    this.#options = options;
  }

  /** @param leastMs what the other side asked for */
  nextMs(leastMs = 0): number {
    const { firstMs, maxMs } = this.#options;
    const wholeMs = Math.min(maxMs, firstMs * 2 ** Math.min(this.#tries++, 30));
    return Math.max(leastMs, wholeMs / 2 + (this.#random() * wholeMs) / 2);
  }

  /** It has worked. */
  reset(): void {
    this.#tries = 0;
  }
}
