/** A first retry comes at once; then 1 s, doubling, to 30 s. */
const FIRST_DELAY_MS = 1_000;
const DELAY_MS_MAX = 30_000;

/**
 * Delay before try number `attempt` (0 = the first after a loss: at once). Equal jitter: between half and the whole of
 * the step, so that a thousand agents of a dead relay do not come back in one moment and none comes back hot.
 *
 * @param random Uniform in [0, 1).
 * @returns Milliseconds.
 */
export function backoffDelayMs(attempt: number, random: () => number): number {
  if (attempt <= 0) return 0;
  const step = Math.min(FIRST_DELAY_MS * 2 ** Math.min(attempt - 1, 16), DELAY_MS_MAX);
  return Math.round(step / 2 + (random() * step) / 2);
}
