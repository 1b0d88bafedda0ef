import type { ZoneOutlook } from './zone-run-ports.ts';

/** Times of a zone's runs, milliseconds. */
export interface ZoneTimes {
  /** Between two runs while rows are due. */
  beatMs: number;
  /** Between two passes over the whole zone. */
  fullPassMs: number;
}

export const ZONE_TIMES: ZoneTimes = { beatMs: 40_000, fullPassMs: 600_000 };

/** What is remembered of a zone's last run. */
export interface LastRun {
  /** Milliseconds since it ended; null: there was none. */
  agoMs: number | null;
  /** Calls that it has made. */
  calls: number;
  /** Runs in a row that the provider, or something here, has made fail as a whole. */
  failures: number;
}

/** So many calls a zone makes in a second at the most: half of what Cloudflare allows for all zones of a token. */
const CALLS_PER_S = 2;

/** Doubling stops here: a full pass is tried at its usual time in any case. */
const FAILURES_MAX = 10;

/** What a run is to do now. */
export function runKind({ fullPassAgoMs }: ZoneOutlook, times: ZoneTimes): 'due' | 'full' {
  return fullPassAgoMs === null || fullPassAgoMs >= times.fullPassMs ? 'full' : 'due';
}

/**
 * Milliseconds until the next run: when a row is due, but for a beat after the last run, and at the latest for the next
 * full pass. A full pass that fails comes after ever longer times.
 */
export function nextRunInMs({ nextDueInMs, fullPassAgoMs }: ZoneOutlook, last: LastRun, times: ZoneTimes): number {
  const sinceMs = last.agoMs ?? Number.POSITIVE_INFINITY;
  const due = nextDueInMs === null ? Number.POSITIVE_INFINITY : Math.max(nextDueInMs, times.beatMs - sinceMs);
  const patienceMs = Math.min(times.beatMs * 2 ** Math.min(last.failures, FAILURES_MAX), times.fullPassMs);
  const full = Math.max(fullPassAgoMs === null ? 0 : times.fullPassMs - fullPassAgoMs, patienceMs - sinceMs);
  return Math.max(0, Math.min(due, full));
}

/** Milliseconds until a zone that is woken by a change runs: many changes in a row share a run, and calls stay bounded. */
export function wakeInMs({ agoMs, calls }: LastRun): number {
  return agoMs === null ? 0 : Math.max(0, (calls / CALLS_PER_S) * 1000 - agoMs);
}
