import { DurableObject } from 'cloudflare:workers';
import type { RatePolicy, RateVerdict } from '../services/gcra.ts';
import { RateBuckets } from './rate-buckets.ts';

/** About 10 MB in the worst case. */
const KEYS_MAX = 50_000;

/**
 * One of the places in which all isolates count requests. Nothing is stored: after a restart every bucket is full, which
 * costs a burst and saves a write for each request.
 */
export class RateLimiter extends DurableObject {
  readonly #buckets = new RateBuckets({ now: Date.now }, { keysMax: KEYS_MAX });

  take(key: string, policy: RatePolicy, cost: number): RateVerdict {
    return this.#buckets.take(key, policy, cost);
  }
}
