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
 * Tries to log in, by address: 10 at once, then one every 30 s. Enough for a person who has forgotten a password, 3 000
 * guesses a day for everybody else.
 */
export const LOGIN_RATE: RatePolicy = { name: 'login', perS: 1 / 30, burst: 10 };

/**
 * Tries to log in to one account, from all addresses where it is not logged in: 100 at once, then one every 10 s. More
 * than one address may have, so that a single stranger cannot use it up and lock the user out.
 */
export const ACCOUNT_LOGIN_RATE: RatePolicy = { name: 'account-login', perS: 1 / 10, burst: 100 };

/** Claims with a wrong code, by the user for whom they are. Codes have 192 bits: this is for those who mistype. */
export const WRONG_CLAIM_RATE: RatePolicy = { name: 'wrong-claim', perS: 1 / 30, burst: 10 };
