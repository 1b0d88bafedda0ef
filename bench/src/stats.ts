/** Middle and spread of repeated measurements. */
export interface Summary {
  median: number;
  min: number;
  max: number;
  /** Number of values that went in; 0 makes the other fields NaN. */
  count: number;
}

/** Median with the smallest and the largest value. NaN values (failed repeats) are left out. */
export function summarize(values: readonly number[]): Summary {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  return {
    median: quantile(sorted, 0.5),
    min: sorted[0] ?? Number.NaN,
    max: sorted.at(-1) ?? Number.NaN,
    count: sorted.length,
  };
}

/**
 * Value at `q` (0 to 1) of an ascending list, interpolated between neighbours; NaN for an empty list.
 */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  if (sorted.length === 0) return Number.NaN;
  const position = q * (sorted.length - 1);
  const below = Math.floor(position);
  const low = sorted[below] ?? Number.NaN;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] ?? Number.NaN;
  return low + (high - low) * (position - below);
}

/**
 * Ratios of two rows of the same rounds, round by round: what the machine did to both in one round cancels out.
 */
export function ratios(values: readonly number[], baseline: readonly number[]): number[] {
  return values.map((value, round) => value / (baseline[round] ?? Number.NaN));
}
