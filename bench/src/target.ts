import type { ProcessGroup } from './process-group.ts';
import type { Target } from './subject.ts';

const START_TIMEOUT_MS = 10_000;

/** Starts the service that all subjects lead to. */
export async function startTarget(group: ProcessGroup): Promise<Target> {
  const host = '127.0.0.1';
  const ports = await group.startLoad('target.ts', null).json<{ bytes: number; http: number }>(START_TIMEOUT_MS);
  return { bytes: { host, port: ports.bytes }, http: { host, port: ports.http } };
}
