import type { ApiTimes } from './api/measure-api.ts';
import type { BulkTimes } from './measures/bulk.ts';
import type { HttpTimes } from './measures/http.ts';
import type { IdleOptions } from './measures/idle.ts';
import type { OpeningTimes } from './measures/opening.ts';

/** Sizes and times of every measure. */
export interface BenchSettings {
  /** `best`: wrk where it is installed. */
  httpGenerator: 'best' | 'own';
  idle: Omit<IdleOptions, 'repeats'>;
  opening: OpeningTimes;
  http: HttpTimes;
  bulk: BulkTimes;
  api: ApiTimes;
}

/** The sizes of a run for a release, or of a short look. */
export function settingsOf(quick: boolean): BenchSettings {
  return quick ? QUICK : FULL;
}

const FULL: BenchSettings = {
  httpGenerator: 'best',
  idle: { levels: [1_000, 5_000, 10_000], settleMs: 3_000 },
  opening: { warmupMs: 500, measureMs: 2_000, concurrency: [1, 32] },
  http: { warmupMs: 1_000, measureMs: 2_000, connections: [1, 48, 256], bodies: ['615 B', '64 KB'] },
  bulk: { warmupMs: 400, measureMs: 1_500, streams: [1, 8] },
  api: { warmupMs: 500, measureMs: 2_000, concurrency: [1, 8, 32], mappings: 10_000, changes: 200 },
};

const QUICK: BenchSettings = {
  httpGenerator: 'best',
  idle: { levels: [1_000], settleMs: 2_000 },
  opening: { warmupMs: 200, measureMs: 800, concurrency: [1, 32] },
  http: { warmupMs: 1_000, measureMs: 1_000, connections: [48], bodies: ['615 B'] },
  bulk: { warmupMs: 300, measureMs: 700, streams: [1, 8] },
  api: { warmupMs: 300, measureMs: 700, concurrency: [8], mappings: 10_000, changes: 40 },
};
