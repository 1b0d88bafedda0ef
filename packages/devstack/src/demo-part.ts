import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from './child.ts';
import { childEnvironment } from './child-environment.ts';
import type { Running } from './keeper.ts';
import { LogFile } from './log-file.ts';

export interface DemoPartOptions {
  home: string;
  apiUrl: string;
  apiKey: string;
  /** Port of the demo service. */
  port: number;
  /** Name under the base domain. */
  subdomain: string;
}

const TUNNOX = fileURLToPath(new URL('../../cli/bin/tunnox.js', import.meta.url));
const START_TIMEOUT_MS = 30_000;
const STOP_GRACE_MS = 3000;

/** Publishes the demo service with the `tunnox` command, as anybody would; waits until its name is usable. */
export async function startDemoAgent(options: DemoPartOptions): Promise<Running> {
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  const child = await Child.start({
    name: 'The demo agent',
    args: [TUNNOX, 'http', String(options.port), '--subdomain', options.subdomain, '--json'],
    log: new LogFile(join(options.home, 'logs', 'demo-agent.log')),
    env: childEnvironment(process.env, {
      TUNNOX_SERVER: options.apiUrl,
      TUNNOX_API_KEY: options.apiKey,
      // Its identity is kept apart from that of the person at this machine.
      TUNNOX_CONFIG_DIR: join(options.home, 'demo-agent'),
    }),
    onLine: (line) => {
      if (isReady(line)) resolve();
    },
  });
  try {
    await child.waitUntil(ready, START_TIMEOUT_MS);
  } catch (error) {
    await child.stop(STOP_GRACE_MS);
    throw error;
  }
  return { pid: child.pid, exited: child.exited, stop: () => child.stop(STOP_GRACE_MS) };
}

function isReady(line: string): boolean {
  try {
    return (JSON.parse(line) as { event?: unknown }).event === 'ready';
  } catch {
    return false;
  }
}
