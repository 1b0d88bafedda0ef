/** A first retry comes at once; then 1 s, doubling, to 30 s. */
const FIRST_DELAY_MS = 1_000;
export const DELAY_MS_MAX = 30_000;
/** … or to 10 s, while a platform that was away as a whole is started again: see `outage.ts`. */
export const RESTART_DELAY_MS_MAX = 10_000;

/**
 * Delay before try number `attempt` (0 = the first after a loss: at once). Equal jitter: between half and the whole of
 * the step, so that a thousand agents of a dead relay do not come back in one moment and none comes back hot.
 *
 * @param random Uniform in [0, 1).
 * @param delayMsMax Where the doubling ends.
 * @returns Milliseconds.
 */
export function backoffDelayMs(attempt: number, random: () => number, delayMsMax = DELAY_MS_MAX): number {
  if (attempt <= 0) return 0;
  const step = Math.min(FIRST_DELAY_MS * 2 ** Math.min(attempt - 1, 16), delayMsMax);
  return Math.round(step / 2 + (random() * step) / 2);
}
