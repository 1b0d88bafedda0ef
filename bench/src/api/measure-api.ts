import { loadavg } from 'node:os';
import type { ApiLoadParams, ApiLoadResult } from '../load/api-client.ts';
import type { ProcessGroup } from '../process-group.ts';
import { apiCases, type ApiCase } from './api-cases.ts';
import { type ApiPlatform, startApiPlatform } from './api-platform.ts';
import { type ChangeRow, measureChanges } from './measure-changes.ts';

export interface ApiTimes {
  warmupMs: number;
  measureMs: number;
  /** Callers at once. */
  concurrency: number[];
  /** Mappings of the user who asks. */
  mappings: number;
  /** Changes of each kind that an agent is watched applying. */
  changes: number;
}

export interface ApiFigures {
  perS: number;
  p50Ms: number;
  p99Ms: number;
}

/** One call at one concurrency; a round that failed is null. */
export interface ApiRow {
  call: string;
  concurrency: number;
  rounds: (ApiFigures | null)[];
  failures: string[];
}

/** What the part `api` found out. */
export interface ApiReport {
  mappings: number;
  /** One-minute load when it began and when it ended: the bench itself is most of the latter. */
  load: { before: number; after: number };
  rows: ApiRow[];
  changes: ChangeRow[];
}

/** Beyond it something hangs. */
const SLACK_MS = 30_000;

/** The management API through workerd on a real Postgres, and the way of a change to an agent. */
export async function measureApi(
  times: ApiTimes & { repeats: number },
  group: ProcessGroup,
  log: (line: string) => void,
): Promise<ApiReport> {
  const before = load();
  log(`Starting a platform with ${times.mappings} mappings`);
  const platform = await startApiPlatform(group, times.mappings);
  const rows = new Map<string, ApiRow>();
  for (let round = 1; round <= times.repeats; round += 1) {
    for (const one of apiCases(platform)) {
      for (const concurrency of times.concurrency) {
        log(`api ${round}/${times.repeats}: ${one.name}, ${concurrency} at a time`);
        note(rows, one, concurrency, await runCase(times, platform, one, concurrency, group));
      }
    }
  }
  const changes = await measureChanges(platform, times.changes, group, log);
  return { mappings: times.mappings, load: { before, after: load() }, rows: [...rows.values()], changes };
}

/** @returns A text when the round failed. */
async function runCase(
  { warmupMs, measureMs }: ApiTimes,
  { platform, apiKey }: ApiPlatform,
  { steps, headers = {} }: ApiCase,
  concurrency: number,
  group: ProcessGroup,
): Promise<ApiLoadResult | string> {
  const params: ApiLoadParams = {
    url: platform.stack.api_url,
    headers: { ...headers, authorization: `Bearer ${apiKey}` },
    ...{ steps, concurrency, warmupMs, measureMs },
  };
  const started = group.startLoad('api-client.ts', params);
  try {
    await started.json(warmupMs + SLACK_MS);
    const result = await started.json<ApiLoadResult>(measureMs + SLACK_MS);
    return result.errors === 0 ? result : `${result.errors} calls failed, the first: ${result.firstError}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await started.stop();
  }
}

function note(
  rows: Map<string, ApiRow>,
  { name, steps }: ApiCase,
  concurrency: number,
  result: ApiLoadResult | string,
): void {
  for (const [index, step] of steps.entries()) {
    const call = steps.length === 1 ? name : step.name;
    const key = `${call} ${concurrency}`;
    const row = rows.get(key) ?? { call, concurrency, rounds: [], failures: [] };
    rows.set(key, row);
    if (typeof result === 'string') {
      row.rounds.push(null);
      row.failures.push(result);
      continue;
    }
    const { perS = 0, p50Ms = 0, p99Ms = 0 } = result.steps[index] ?? {};
    row.rounds.push({ perS, p50Ms, p99Ms });
  }
}

function load(): number {
  return Math.round((loadavg()[0] ?? 0) * 100) / 100;
}
