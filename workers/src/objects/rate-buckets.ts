import { gcra, type RatePolicy, type RateVerdict } from '../services/gcra.ts';

/**
 * Buckets by key, of which only the most recently used are kept. One that is forgotten is full again, so a crowd of keys
 * can make the limit mild, never wrong for those who keep to it.
 */
export class RateBuckets {
  readonly #keysMax: number;
  readonly #now: () => number;
  /** When each is full again; in the order of use. */
  readonly #fullAtMs = new Map<string, number>();

  constructor(deps: { now: () => number }, options: { keysMax: number }) {
    this.#now = deps.now;
    this.#keysMax = options.keysMax;
  }

  get size(): number {
    return this.#fullAtMs.size;
  }

  take(key: string, policy: RatePolicy, cost: number): RateVerdict {
    const name = `${policy.name} ${key}`;
    const { fullAtMs, ...verdict } = gcra(this.#fullAtMs.get(name), this.#now(), policy, cost);
    this.#fullAtMs.delete(name);
    this.#fullAtMs.set(name, fullAtMs);
    if (this.#fullAtMs.size > this.#keysMax) {
      for (const oldest of this.#fullAtMs.keys()) {
        this.#fullAtMs.delete(oldest);
        break;
      }
    }
    return verdict;
  }
}
