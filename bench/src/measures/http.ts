import { fileURLToPath } from 'node:url';
import type { HttpParams, HttpResult } from '../load/http-client.ts';
import type { Case, CaseContext, Measure } from './measure.ts';

export interface HttpTimes {
  warmupMs: number;
  measureMs: number;
  connections: readonly number[];
  bodies: readonly Body[];
}

export type Body = '615 B' | '64 KB';

/** `wrk` where it is installed, otherwise the load program of the bench. */
export type HttpGenerator = 'wrk' | 'own';

const PATHS: Readonly<Record<Body, string>> = { '615 B': '/s', '64 KB': '/l' };
const SLACK_MS = 20_000;
const WRK_REPORT = fileURLToPath(new URL('../load/wrk-report.lua', import.meta.url));

/** Requests on kept-alive connections. Any subject runs it: a TCP tunnel carries HTTP as well. */
export function httpMeasure(times: HttpTimes, generator: HttpGenerator): Measure {
  return {
    name: 'http',
    title: 'HTTP keep-alive',
    metrics: [
      { key: 'rate', unit: 'requests/s', better: 'more' },
      { key: 'p50', unit: 'ms', better: 'less' },
      { key: 'p99', unit: 'ms', better: 'less' },
    ],
    cpuPer: '10 000 requests',
    cases: () =>
      times.bodies.flatMap((body) => times.connections.map((count) => httpCase(times, generator, body, count))),
  };
}

function httpCase(times: HttpTimes, generator: HttpGenerator, body: Body, connections: number): Case {
  return {
    name: `${body}, ${connections} connection${connections === 1 ? '' : 's'}`,
    accepts: () => true,
    run: async (context) => {
      const load = { path: PATHS[body], connections, warmupMs: times.warmupMs, measureMs: times.measureMs };
      const result = await (generator === 'wrk' ? runWrk(context, load) : runOwn(context, load));
      if (result.errors > 0) throw new Error(`${result.errors} errors beside ${result.requests} requests`);
      return {
        figures: { rate: result.requests / result.seconds, p50: result.p50Ms, p99: result.p99Ms },
        work: result.requests / 10_000,
      };
    },
  };
}

type Load = Pick<HttpParams, 'path' | 'connections' | 'warmupMs' | 'measureMs'>;

async function runOwn({ group, subject, started }: CaseContext, load: Load): Promise<HttpResult> {
  const { host, port } = subject.http;
  const params: HttpParams = { host, port, hostHeader: subject.http.hostHeader ?? `${host}:${port}`, ...load };
  const client = group.startLoad('http-client.ts', params);
  await client.json(load.warmupMs + SLACK_MS);
  await started();
  return client.json<HttpResult>(load.measureMs + SLACK_MS);
}

/** `wrk` knows whole seconds only and has no warm-up of its own: the first round gets a run that is not counted. */
async function runWrk(context: CaseContext, load: Load): Promise<HttpResult> {
  if (context.first) await wrk(context, load, load.warmupMs);
  await context.started();
  return wrk(context, load, load.measureMs);
}

async function wrk({ group, subject }: CaseContext, load: Load, durationMs: number): Promise<HttpResult> {
  const { host, port, hostHeader } = subject.http;
  const seconds = Math.max(1, Math.round(durationMs / 1000));
  const client = group.start('wrk', [
    '-t1',
    `-c${load.connections}`,
    `-d${seconds}s`,
    '-s',
    WRK_REPORT,
    ...(hostHeader === undefined ? [] : ['-H', `Host: ${hostHeader}`]),
    `http://${host}:${port}${load.path}`,
  ]);
  return client.line(
    (line) => (line.startsWith('{"requests"') ? (JSON.parse(line) as HttpResult) : undefined),
    seconds * 1000 + SLACK_MS,
  );
}
