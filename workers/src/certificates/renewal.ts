/** Share of a certificate's life after which it is renewed, and how far that is spread. */
const RENEW_AT = 2 / 3;
const JITTER = 0.05;

/** Minutes until the next try after the n-th failure; authorities count failed validations by the hour. */
const RETRY_MIN = [5, 15, 60, 180, 360, 720, 1440];

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
