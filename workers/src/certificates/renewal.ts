/** Share of a certificate's life after which it is renewed, and how far that is spread. */
const RENEW_AT = 2 / 3;
const JITTER = 0.05;

/** Minutes until the next try after the n-th failure; authorities count failed validations by the hour. */
const RETRY_MIN = [5, 15, 60, 180, 360, 720, 1440];

/** Between two looks at something that others do: a record to be seen, a validation, an issuance. */
const LOOK_S_MIN = 1;
const LOOK_S_MAX = 15;

/** A name that cannot have a certificate yet is looked at so often, which costs a DNS look-up or two. */
const HELD_S_MIN = 60;
const HELD_S_MAX = 3600;

/**
 * When a certificate is renewed: after two thirds of its life, spread by a twentieth of it, so that many of one day are
 * not renewed in one minute.
 *
 * @param random 0 ≤ random < 1.
 */
export function renewAt(notBefore: Date, notAfter: Date, random: number): Date {
  const lifeMs = notAfter.getTime() - notBefore.getTime();
  return new Date(notBefore.getTime() + lifeMs * (RENEW_AT + (random - 0.5) * JITTER));
}

/** Seconds until the next try after the `retryCount`-th failure (1, 2, …); a day at the most, for ever. */
export function orderRetryS(retryCount: number): number {
  return (RETRY_MIN[Math.min(retryCount, RETRY_MIN.length) - 1] ?? 1440) * 60;
}

/** Seconds until an order is looked at again; the longer it takes already, the rarer. */
export function lookS(elapsedMs: number): number {
  return Math.min(LOOK_S_MAX, Math.max(LOOK_S_MIN, elapsedMs / 8000));
}

/** Seconds until a name that has no place for its proof is looked at again. @param random 0 ≤ random < 1. */
export function heldS(waitedMs: number, random: number): number {
  return Math.min(HELD_S_MAX, Math.max(HELD_S_MIN, waitedMs / 4000)) * (0.9 + random * 0.2);
}
