import type { BulkParams } from '../load/bulk-client.ts';
import type { Case, CaseContext, Measure } from './measure.ts';

export interface BulkTimes {
  warmupMs: number;
  measureMs: number;
  streams: readonly number[];
}

const GB = 1e9;
const SLACK_MS = 20_000;

/** Bytes through one and through several connections, in both directions. */
export function bulkMeasure(times: BulkTimes): Measure {
  return {
    name: 'bulk',
    title: 'Bulk',
    metrics: [{ key: 'rate', unit: 'GB/s', better: 'more' }],
    cpuPer: 'GB',
    cases: () =>
      times.streams.flatMap((streams) =>
        (['down', 'up'] as const).map((direction) => bulkCase(times, streams, direction)),
      ),
  };
}

function bulkCase(times: BulkTimes, streams: number, direction: 'down' | 'up'): Case {
  return {
    name: `${streams} stream${streams === 1 ? '' : 's'} ${direction}`,
    accepts: (subject) => subject.bytes !== undefined,
    run: async (context) => runBulk(context, times, streams, direction),
  };
}

async function runBulk(
  { group, subject, started }: CaseContext,
  { warmupMs, measureMs }: BulkTimes,
  streams: number,
  direction: 'down' | 'up',
) {
  if (subject.bytes === undefined) throw new Error(`Cannot send bytes through '${subject.name}'`);
  const params: BulkParams = { ...subject.bytes, streams, direction, warmupMs, measureMs };
  const client = group.startLoad('bulk-client.ts', params);
  await client.json(warmupMs + SLACK_MS);
  await started();
  const answer = await client.json<{ bytes: number; seconds: number } | { failure: string }>(measureMs + SLACK_MS);
  if ('failure' in answer) throw new Error(answer.failure);
  const gigabytes = answer.bytes / GB;
  return { figures: { rate: gigabytes / answer.seconds }, work: gigabytes };
}
