import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedPostgres } from '@tunnox/devstack/postgres';
import { freePort } from './free-port.ts';

export interface PostgresFixture {
  /** `postgresql://user:password@127.0.0.1:port/database` */
  url: string;
  /** Stops the server and keeps its data; start() brings both back on the same port. */
  pause: () => Promise<void>;
  resume: () => Promise<void>;
  /** Stops the server and removes its data. */
  stop: () => Promise<void>;
}

/** Starts a real Postgres with an empty database in a folder of its own. */
export async function startPostgres(): Promise<PostgresFixture> {
  const dir = await mkdtemp(join(tmpdir(), 'tunnox-postgres-'));
  const options = { dir, port: await freePort(), password: 'secret', durable: false };
  const server = new EmbeddedPostgres(options);
  try {
    await server.start();
  } catch (error) {
    await rm(dir, { recursive: true, force: true });
    throw error;
  }
  // A test file that is cut short must not leave its server behind.
  const kill = () => server.kill();
  process.once('exit', kill);
  return {
    url: server.url,
    pause: () => server.stop(),
    resume: () => server.start(),
    stop: async () => {
      process.off('exit', kill);
      await server.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
