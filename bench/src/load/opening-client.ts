import { connect } from 'node:net';
import { quantile } from '../stats.ts';
import { COMMAND } from './wire.ts';
import { endWithParent, printJson, readParams } from './parent.ts';

/**
 * Opens connections as fast as it can: connect, one byte there, one byte back, close, again. The time of one opening
 * ends with the byte that came all the way back from the target. Prints `{started}`, then `OpeningResult`.
 */
export interface OpeningParams {
  host: string;
  port: number;
  /** Connections that are being opened at the same moment. */
  concurrency: number;
  warmupMs: number;
  measureMs: number;
}

export interface OpeningResult {
  opened: number;
  seconds: number;
  firstByteP50Ms: number;
  firstByteP99Ms: number;
  errors: number;
}

const ATTEMPT_TIMEOUT_MS = 5_000;

const params = readParams() as OpeningParams;
const probe = Buffer.from([COMMAND.echo]);

endWithParent();
await run(params.warmupMs);
printJson({ started: true });
const startMs = performance.now();
const { latenciesMs, errors } = await run(params.measureMs);
const seconds = (performance.now() - startMs) / 1000;
const sorted = Float64Array.from(latenciesMs).sort();
const result: OpeningResult = {
  opened: sorted.length,
  seconds,
  firstByteP50Ms: quantile(sorted, 0.5),
  firstByteP99Ms: quantile(sorted, 0.99),
  errors,
};
printJson(result);
process.exit(0);

async function run(durationMs: number): Promise<{ latenciesMs: number[]; errors: number }> {
  const endMs = performance.now() + durationMs;
  const found = { latenciesMs: [] as number[], errors: 0 };
  const worker = async () => {
    while (performance.now() < endMs) {
      const ms = await openOnce();
      if (ms === null) found.errors += 1;
      else found.latenciesMs.push(ms);
    }
  };
  await Promise.all(Array.from({ length: params.concurrency }, worker));
  return found;
}

/** Milliseconds until the byte was back; null if it never came. */
async function openOnce(): Promise<number | null> {
  const beganMs = performance.now();
  return new Promise((resolve) => {
    const socket = connect({ host: params.host, port: params.port, noDelay: true });
    const finish = (ms: number | null) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(ms);
    };
    const timer = setTimeout(() => finish(null), ATTEMPT_TIMEOUT_MS);
    socket.on('connect', () => socket.write(probe));
    socket.once('data', () => finish(performance.now() - beganMs));
    socket.on('error', () => finish(null));
    socket.on('end', () => finish(null));
  });
}
