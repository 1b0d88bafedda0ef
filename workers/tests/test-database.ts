import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedPostgres } from '@tunnox/devstack/postgres';

/** An empty database of its own. */
export interface TestDatabase {
  url: string;
  /** Folder that goes with it. */
  dir: string;
  stop(): Promise<void>;
}

/** Starts a real Postgres on a free port, with data that is thrown away. */
export async function startDatabase(): Promise<TestDatabase> {
  const dir = await mkdtemp(join(tmpdir(), 'tunnox-test-'));
  const password = randomBytes(16).toString('hex');
  const postgres = new EmbeddedPostgres({
    dir: join(dir, 'postgres'),
    port: await freePort(),
    password,
    durable: false,
  });
  await postgres.start();
  return {
    url: postgres.url,
    dir,
    async stop() {
      await postgres.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('Cannot find a free port');
  return address.port;
}
