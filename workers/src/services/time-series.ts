import type { TimeSeries, TimeSeriesQuery } from '@tunnox/domain/api/stats';
import { invalid } from './principal.ts';
import { oldestDay, oldestHour } from './retention.ts';

/** Steps of a time series; `fromMs` included, `toMs` not, both at the border of a step. */
export interface SeriesWindow {
  step: 'hour' | 'day';
  fromMs: number;
  toMs: number;
}

/** Traffic of one step; steps without traffic are absent. */
export interface SeriesRow {
  /** Start of the step, milliseconds since 1970. */
  atMs: number;
  bytes_in: number;
  bytes_out: number;
  connections: number;
}

const STEP_MS = { hour: 3_600_000, day: 86_400_000 } as const;
const POINTS_MAX = 1000;

/** What is shown when `from` is not given. */
const DEFAULT_SPAN_MS = { hour: STEP_MS.day, day: 30 * STEP_MS.day } as const;

/** Up to so long, hours are shown when `step` is not given. */
const HOURS_SPAN_MS = 7 * STEP_MS.day;

/**
 * The steps that a query asks for; null: none. Hours that were added up to days are not there as hours any more: they
 * are refused, for zeros or a day's share in each would be no answer.
 *
 * @throws {TunnoxError} `invalid`
 */
export function seriesWindow(query: TimeSeriesQuery, nowMs: number): SeriesWindow | null {
  if (query.from === undefined && query.to === undefined && query.step === undefined) return null;
  const to = query.to === undefined ? nowMs : Math.min(Date.parse(query.to), nowMs);
  const from = query.from === undefined ? to - DEFAULT_SPAN_MS[query.step ?? 'hour'] : Date.parse(query.from);
  if (from >= to) {
    const future = query.from !== undefined && from >= nowMs;
    throw invalid('/query/from', future ? 'must not be in the future' : 'must be before to');
  }
  const step = query.step ?? (to - from <= HOURS_SPAN_MS ? 'hour' : 'day');
  const stepMs = STEP_MS[step];
  const fromMs = Math.floor(from / stepMs) * stepMs;
  const toMs = Math.ceil(to / stepMs) * stepMs;
  const points = (toMs - fromMs) / stepMs;
  const byDays = step === 'hour' ? ', or ask with step=day' : '';
  if (points > POINTS_MAX) {
    throw invalid(
      '/query/from',
      `is ${points} ${step}s before the end: a series has ${POINTS_MAX} points at most${byDays}`,
    );
  }
  const oldest = step === 'hour' ? oldestHour(nowMs) : oldestDay(nowMs);
  if (fromMs < oldest.getTime()) {
    throw invalid('/query/from', `must not be before ${oldest.toISOString()}: ${step}s are kept from then on${byDays}`);
  }
  return { step, fromMs, toMs };
}

/** All points of the window, oldest first. */
export function toTimeSeries({ step, fromMs, toMs }: SeriesWindow, rows: readonly SeriesRow[]): TimeSeries {
  const byTime = new Map(rows.map(({ atMs, ...counts }) => [atMs, counts]));
  const points: TimeSeries['points'] = [];
  for (let atMs = fromMs; atMs < toMs; atMs += STEP_MS[step]) {
    const counts = byTime.get(atMs) ?? { bytes_in: 0, bytes_out: 0, connections: 0 };
    points.push({ at: new Date(atMs).toISOString(), ...counts });
  }
  return { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString(), step, points };
}
