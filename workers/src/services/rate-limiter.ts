import type { RatePolicy, RateVerdict } from './gcra.ts';

/** Counts what is done under a key, for all isolates together. */
export interface RateLimiter {
  /**
   * @param key Who does it, such as `user:100000001` or an address; every policy has keys of its own.
   * @returns null when nobody could be asked: then it is allowed.
   */
  take(key: string, policy: RatePolicy, cost?: number): Promise<RateVerdict | null>;
}

/**
 * Tries to log in, by address and by account: 10 at once, then one every 30 s. Enough for a person who has forgotten a
 * password, 3 000 guesses a day for everybody else.
 */
export const LOGIN_RATE: RatePolicy = { name: 'login', perS: 1 / 30, burst: 10 };
