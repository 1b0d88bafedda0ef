/** Times of a zone's runs, milliseconds. */
export interface ZoneTimes {
  /** Between two runs while rows are due. */
  beatMs: number;
  /** Between two passes over the whole zone. */
  fullPassMs: number;
}

export const ZONE_TIMES: ZoneTimes = { beatMs: 40_000, fullPassMs: 600_000 };

/** What is known of a zone's next work; moments in milliseconds since 1970. */
export interface ZoneOutlook {
  /** When the next row is due; null: none is. */
  nextDueAtMs: number | null;
  /** Of the last pass over the whole zone; null: there was none. */
  fullPassAtMs: number | null;
  /** When the last run ended; null: there was none. */
  ranAtMs: number | null;
}

/** What a run at `nowMs` is to do. */
export function runKind(outlook: ZoneOutlook, nowMs: number, times: ZoneTimes): 'due' | 'full' {
  const { fullPassAtMs } = outlook;
  return fullPassAtMs === null || nowMs - fullPassAtMs >= times.fullPassMs ? 'full' : 'due';
}

/** When to run next: when a row is due, but for a beat after the last run, and at the latest for the next full pass. */
export function nextRunAtMs(
  { nextDueAtMs, fullPassAtMs, ranAtMs }: ZoneOutlook,
  nowMs: number,
  times: ZoneTimes,
): number {
  const beat = (ranAtMs ?? nowMs - times.beatMs) + times.beatMs;
  const due = nextDueAtMs === null ? Number.POSITIVE_INFINITY : Math.max(nextDueAtMs, beat);
  // A full pass that failed waits for a beat as everything does.
  const full = Math.max((fullPassAtMs ?? nowMs) + times.fullPassMs, beat);
  return Math.max(nowMs, Math.min(due, full));
}
