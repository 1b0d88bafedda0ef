import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrate } from '@tunnox/db/migrate';
import { ControlPlane } from '@tunnox/devstack/control-plane';
import { freePort } from './free-port.ts';
import { type PostgresFixture, startPostgres } from './postgres-fixture.ts';

export interface ControlPlaneFixtureOptions {
  /** A plain Redis to put an Upstash gateway in front of; absent: no Redis. */
  redisUrl?: string;
  baseDomain?: string;
  /** Lease of relays in milliseconds; default: as in production. */
  relayLeaseMs?: number;
  /** Each line that the Worker writes to its console; default: kept for `logs`. */
  onWorkerLog?: (line: string) => void;
}

export interface ControlPlaneFixture {
  /** `http://127.0.0.1:port` */
  apiUrl: string;
  operatorKey: string;
  databaseUrl: string;
  baseDomain: string;
  /** The real Postgres behind it; pause() and resume() take it away and bring it back. */
  postgres: PostgresFixture;
  /** Folder in which the Durable Objects are stored, one file each. */
  storageDir: string;
  /** What the Worker wrote to its console. */
  logs: string[];
  /** Pid of the workerd that runs now. */
  workerdPid: () => number;
  /** Runs the sweeps once, as the cron trigger does; nothing else runs them. */
  runScheduled: () => Promise<void>;
  /** Stops the Worker and the gateways; Postgres and the Durable Objects' storage stay. */
  pause: () => Promise<void>;
  /** Starts them again on the same port. */
  resume: () => Promise<void>;
  stop: () => Promise<void>;
}

/** Starts a control plane of its own: real Postgres, migrated, gateways, the Worker in workerd. */
export async function startControlPlane(options: ControlPlaneFixtureOptions = {}): Promise<ControlPlaneFixture> {
  const postgres = await startPostgres();
  const storageDir = await mkdtemp(join(tmpdir(), 'tunnox-objects-'));
  const operatorKey = `test_${randomBytes(24).toString('hex')}`;
  const encryptionKey = randomBytes(32).toString('base64');
  const baseDomain = options.baseDomain ?? 'tunnox.localhost';
  const apiPort = await freePort();
  const logs: string[] = [];
  const workerds: number[] = [];
  let controlPlane: ControlPlane | undefined;

  const pause = async () => {
    await controlPlane?.stop();
    controlPlane = undefined;
  };
  const resume = async () => {
    if (controlPlane !== undefined) return;
    const log = { warn: (fields: object, message: string) => logs.push(`${message} ${describe(fields)}`) };
    controlPlane = new ControlPlane(
      {
        log,
        onWorkerLog: options.onWorkerLog ?? ((line) => logs.push(line)),
        onRuntimeStarted: (pid) => workerds.push(pid),
      },
      {
        apiPort,
        neonGatewayPort: 0,
        upstashGatewayPort: 0,
        databaseUrl: postgres.url,
        redis:
          options.redisUrl === undefined
            ? null
            : { kind: 'gateway', redisUrl: options.redisUrl, token: randomBytes(16).toString('hex') },
        storageDir,
        operatorKey,
        encryptionKey,
        baseDomain,
        publicHttpUrl: 'http://{host}:8080',
        publicHttpsUrl: 'https://{host}:8443',
        cronIntervalMs: null,
        // Tests come at once, and are no attack.
        rateLimit: { perS: 100_000, burst: 100_000 },
        ...(options.relayLeaseMs === undefined ? {} : { relayLeaseMs: options.relayLeaseMs }),
      },
    );
    await controlPlane.start();
  };
  const stop = async () => {
    await pause();
    await postgres.stop();
    await rm(storageDir, { recursive: true, force: true });
  };
  try {
    await migrate({ url: postgres.url });
    await resume();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    apiUrl: `http://127.0.0.1:${apiPort}`,
    operatorKey,
    databaseUrl: postgres.url,
    baseDomain,
    postgres,
    storageDir,
    logs,
    workerdPid: () => {
      const pid = workerds.at(-1);
      if (pid === undefined) throw new Error('Cannot name the pid of workerd: it was not started');
      return pid;
    },
    runScheduled: async () => {
      if (controlPlane === undefined) throw new Error('Cannot run the sweeps: the control plane is paused');
      await controlPlane.runScheduled();
    },
    pause,
    resume,
    stop,
  };
}

function describe(fields: object): string {
  const { err } = fields as { err?: unknown };
  return err instanceof Error ? err.message : '';
}
