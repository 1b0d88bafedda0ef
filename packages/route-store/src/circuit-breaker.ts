import { RouteStoreUnavailable } from './route-store.ts';

export interface CircuitBreakerDeps {
  /** Milliseconds, never going back. */
  now: () => number;
}

export interface CircuitBreakerOptions {
  /** Failures in a row after which calls fail at once. */
  failuresMax: number;
  /** How long they do, until one call tries again. */
  openMs: number;
}

/**
 * Keeps a store that does not answer from costing every look-up its time-out: after a few failures in a row calls fail
 * at once, and one call in each `openMs` finds out whether the store is back.
 */
export class CircuitBreaker {
  readonly #deps: CircuitBreakerDeps;
  readonly #options: CircuitBreakerOptions;
  #failures = 0;
  #openUntil = 0;

  constructor(deps: CircuitBreakerDeps, options: CircuitBreakerOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** @throws {RouteStoreUnavailable} when the breaker is open or `call` fails */
  async run<T>(call: () => Promise<T>): Promise<T> {
    const now = this.#deps.now();
    if (this.#failures >= this.#options.failuresMax) {
      if (now < this.#openUntil) throw new RouteStoreUnavailable('The route store is away');
      // This call is the probe; others keep failing until it has an answer.
      this.#openUntil = now + this.#options.openMs;
    }
    try {
      const result = await call();
      this.#failures = 0;
      return result;
    } catch (cause) {
      this.#failures += 1;
      this.#openUntil = this.#deps.now() + this.#options.openMs;
      throw new RouteStoreUnavailable('The route store does not answer', { cause });
    }
  }
}
