/** Tries after which a record waits for a person. */
export const RETRIES_MAX = 10;

const DELAY_S_MAX = 1800;

/**
 * Seconds until the next try after the `retryCount`-th failure (1, 2, …): 60, 120, 240, 480, 960, 1800, …
 *
 * @returns null: none by itself.
 */
export function retryDelayS(retryCount: number): number | null {
  return retryCount >= RETRIES_MAX ? null : Math.min(2 ** retryCount * 30, DELAY_S_MAX);
}
