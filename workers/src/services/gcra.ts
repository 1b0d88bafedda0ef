/** How often something may be done. Refills evenly: with `perS` tokens a second, up to `burst`. */
export interface RatePolicy {
  /** For headers and keys; letters and hyphens. */
  name: string;
  perS: number;
  /** Whole number. */
  burst: number;
}

/** What is left of a policy after a request. */
export interface RateVerdict {
  allowed: boolean;
  /** Whole tokens that are left. */
  remaining: number;
  /** Until a request of the same cost is allowed; 0 when this one was. */
  retryAfterMs: number;
  /** Until the bucket is full again. */
  fullInMs: number;
}

/**
 * Generic cell rate algorithm: a token bucket of which only one number is kept, the moment at which it is full again.
 *
 * @param fullAtMs The number kept; undefined: never used, so full.
 * @param cost Tokens; a cost above the burst is never allowed.
 * @returns The verdict, and the number to keep. A refused request takes nothing.
 */
export function gcra(
  fullAtMs: number | undefined,
  nowMs: number,
  { perS, burst }: RatePolicy,
  cost = 1,
): RateVerdict & { fullAtMs: number } {
  const tokenMs = 1000 / perS;
  const burstMs = burst * tokenMs;
  // The clock may have been set back: nobody waits longer for that than a bucket takes to fill.
  const before = Math.min(Math.max(fullAtMs ?? nowMs, nowMs), nowMs + burstMs);
  const after = before + cost * tokenMs;
  const overMs = after - (nowMs + burstMs);
  // Moments have fractions of a millisecond here, and sums of them faults of rounding.
  const allowed = overMs <= tokenMs * 1e-6;
  const kept = allowed ? after : before;
  return {
    allowed,
    remaining: Math.max(0, Math.floor((nowMs + burstMs - kept) / tokenMs + 1e-6)),
    retryAfterMs: allowed ? 0 : overMs,
    fullInMs: kept - nowMs,
    fullAtMs: kept,
  };
}
