import type { OpeningParams, OpeningResult } from '../load/opening-client.ts';
import type { Case, CaseContext, Measure } from './measure.ts';

export interface OpeningTimes {
  warmupMs: number;
  measureMs: number;
  /** Connections that are being opened at a time; 1 shows the bare delay of a cold tunnel. */
  concurrency: readonly number[];
}

const SLACK_MS = 20_000;
const ERROR_SHARE_MAX = 0.01;

/** New TCP connections a second, and the time until the first byte is back. */
export function openingMeasure(times: OpeningTimes): Measure {
  return {
    name: 'opening',
    title: 'Opening',
    metrics: [
      { key: 'rate', unit: '/s', better: 'more' },
      { key: 'first byte p50', unit: 'ms', better: 'less' },
      { key: 'first byte p99', unit: 'ms', better: 'less' },
    ],
    cpuPer: '10 000 tunnels',
    cases: () => times.concurrency.map((concurrency) => openingCase(times, concurrency)),
  };
}

function openingCase(times: OpeningTimes, concurrency: number): Case {
  return {
    name: `${concurrency} at a time`,
    accepts: (subject) => subject.bytes !== undefined,
    run: async (context) => runOpening(context, times, concurrency),
  };
}

async function runOpening(
  { group, subject, started }: CaseContext,
  { warmupMs, measureMs }: OpeningTimes,
  concurrency: number,
) {
  if (subject.bytes === undefined) throw new Error(`Cannot send bytes through '${subject.name}'`);
  const params: OpeningParams = { ...subject.bytes, concurrency, warmupMs, measureMs };
  const client = group.startLoad('opening-client.ts', params);
  await client.json(warmupMs + SLACK_MS);
  await started();
  const result = await client.json<OpeningResult>(measureMs + SLACK_MS);
  if (result.errors > result.opened * ERROR_SHARE_MAX) {
    throw new Error(`${result.errors} connections failed beside ${result.opened} that opened`);
  }
  return {
    figures: {
      rate: result.opened / result.seconds,
      'first byte p50': result.firstByteP50Ms,
      'first byte p99': result.firstByteP99Ms,
    },
    work: result.opened / 10_000,
  };
}
