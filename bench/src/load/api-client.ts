import { Agent, request } from 'node:http';
import { quantile } from '../stats.ts';
import { endWithParent, printJson, readParams } from './parent.ts';

/**
 * Calls of the management API, closed loop: each of `concurrency` callers goes through the steps again and again.
 * Prints `{started}` when the clock starts, then `ApiLoadResult`.
 */
export interface ApiLoadParams {
  /** `http://127.0.0.1:port` */
  url: string;
  headers: Record<string, string>;
  steps: ApiStep[];
  concurrency: number;
  warmupMs: number;
  measureMs: number;
}

/**
 * One call. In `path` and in the texts of `body`, `{slot}` is the item of `slots` that belongs to the caller, `{unique}`
 * a text that was never used before, and `{id}` what the last step with `takes` answered.
 */
export interface ApiStep {
  name: string;
  method: string;
  path: string;
  body?: Record<string, unknown>;
  slots?: (string | number)[];
  /** Member of the answer that becomes `{id}`. */
  takes?: string;
}

export interface ApiStepResult {
  name: string;
  perS: number;
  p50Ms: number;
  p99Ms: number;
}

export interface ApiLoadResult {
  steps: ApiStepResult[];
  errors: number;
  /** What the first of them was. */
  firstError: string | null;
}

const params = readParams() as ApiLoadParams;
const agent = new Agent({ keepAlive: true, maxSockets: params.concurrency });
const run = `${process.pid.toString(36)}${Date.now().toString(36)}`;
let count = 0;
let errors = 0;
let firstError: string | null = null;
let latenciesMs = new Map<string, number[]>();

endWithParent();
await loadFor(params.warmupMs);
printJson({ started: true });
latenciesMs = new Map();
errors = 0;
const startMs = performance.now();
await loadFor(params.measureMs);
const seconds = (performance.now() - startMs) / 1000;
printJson({ steps: params.steps.map(({ name }) => summary(name)), errors, firstError } satisfies ApiLoadResult);
agent.destroy();
process.exit(0);

async function loadFor(durationMs: number): Promise<void> {
  const endMs = performance.now() + durationMs;
  await Promise.all(
    Array.from({ length: params.concurrency }, async (_, caller) => {
      while (performance.now() < endMs) await goThrough(caller);
    }),
  );
}

async function goThrough(caller: number): Promise<void> {
  let id = '';
  for (const step of params.steps) {
    count += 1;
    const filled: Record<string, string> = {
      slot: String(step.slots?.[caller % step.slots.length] ?? ''),
      unique: `${run}${count.toString(36)}`,
      id,
    };
    const fill = (text: string) => text.replaceAll(/\{(\w+)\}/g, (_, name: string) => filled[name] ?? '');
    const body = step.body === undefined ? null : fill(JSON.stringify(step.body));
    const sentMs = performance.now();
    try {
      const { status, text } = await call(step.method, fill(step.path), body);
      if (status < 200 || status >= 300) throw new Error(`${step.name}: ${status} ${text.slice(0, 200)}`);
      note(step.name, performance.now() - sentMs);
      if (step.takes !== undefined) id = String((JSON.parse(text) as Record<string, unknown>)[step.takes]);
    } catch (error) {
      errors += 1;
      firstError ??= String(error);
      return;
    }
  }
}

function note(name: string, ms: number): void {
  const held = latenciesMs.get(name);
  if (held === undefined) latenciesMs.set(name, [ms]);
  else held.push(ms);
}

function call(method: string, path: string, body: string | null): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = {
      ...params.headers,
      ...(body === null ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
    };
    const sent = request(`${params.url}${path}`, { method, agent, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body ?? undefined);
  });
}

function summary(name: string): ApiStepResult {
  const sorted = Float64Array.from(latenciesMs.get(name) ?? []).sort();
  return { name, perS: sorted.length / seconds, p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99) };
}
