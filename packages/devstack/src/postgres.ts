import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { findPostgresBinaries } from './postgres-binaries.ts';
import { placePostgres, type PostgresPlace } from './postgres-place.ts';
import { describeProcess, endProcess } from './process-table.ts';
import { commandPrefix, dataOwner, type RunAs } from './run-as.ts';

export interface PostgresOptions {
  /** Holds `data/`; made when it does not exist. */
  dir: string;
  port: number;
  password: string;
  /** False for throw-away data in tests: nothing is flushed to the disk. */
  durable: boolean;
  /** Each line that Postgres writes. */
  onLog?: (line: string) => void;
}

export const DATABASE = 'tunnox';
const USER = 'tunnox';
const START_TIMEOUT_MS = 30_000;
/** SIGINT: a fast shutdown. Sessions are ended, data is flushed. */
const STOP_SIGNAL = 'SIGINT';
const STOP_TIMEOUT_MS = 15_000;
const LOG_TAIL_LINES = 12;
const ORPHANS_TIMEOUT_MS = 10_000;
const ORPHANS_PAUSE_MS = 100;

/**
 * A real Postgres of our own on 127.0.0.1: password authentication, no Unix socket, data kept in `dir`. One that an
 * unclean end left running is stopped first; one that was killed recovers by its own log.
 */
export class EmbeddedPostgres {
  readonly #options: PostgresOptions;
  #child: ChildProcess | undefined;
  #tail: string[] = [];
  readonly #watchers = new Set<(line: string) => void>();

  constructor(options: PostgresOptions) {
    this.#options = options;
  }

  get url(): string {
    return `postgresql://${USER}:${encodeURIComponent(this.#options.password)}@127.0.0.1:${this.#options.port}/${DATABASE}`;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Settles when the server has ended, for whatever reason. */
  async exited(): Promise<void> {
    const child = this.#child;
    if (child !== undefined) await once(child, 'exit');
  }

  /** @throws {Error} with the last lines of Postgres, when it does not come up. */
  async start(): Promise<void> {
    if (this.#child !== undefined) return;
    const place = await placePostgres(findPostgresBinaries(), this.#options.dir);
    const dataDir = join(place.dir, 'data');
    await stopLeftover(dataDir);
    if (!(await exists(join(dataDir, 'PG_VERSION')))) await this.#initialise(place, dataDir);
    await this.#launchWhenFree(place, dataDir);
    await this.#ensureDatabase();
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(STOP_SIGNAL);
    const timer = setTimeout(() => child.kill('SIGQUIT'), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(timer);
  }

  /** Ends the server at once, for when this process cannot wait; the next start recovers. */
  kill(): void {
    this.#child?.kill('SIGQUIT');
  }

  /** Into a folder beside, renamed when it is whole: an interrupted first start leaves nothing that looks like data. */
  async #initialise({ binaries, dir, runAs }: PostgresPlace, dataDir: string): Promise<void> {
    const unfinished = `${dataDir}.new`;
    const passwordFile = join(dir, 'password.new');
    await rm(unfinished, { recursive: true, force: true });
    await writeFile(passwordFile, `${this.#options.password}\n`, { mode: 0o600 });
    const owner = dataOwner(runAs);
    if (owner !== null) await chown(passwordFile, owner.uid, owner.gid);
    try {
      const child = this.#spawn(binaries.initdb, runAs, [
        `--pgdata=${unfinished}`,
        `--username=${USER}`,
        `--pwfile=${passwordFile}`,
        '--auth=password',
        '--encoding=UTF8',
        '--locale=C',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        ...(this.#options.durable ? [] : ['--no-sync']),
      ]);
      const [code] = (await once(child, 'close')) as [number | null];
      if (code !== 0) throw this.#failure('Cannot make the database');
      await rename(unfinished, dataDir);
    } finally {
      await rm(passwordFile, { force: true });
    }
  }

  /** Children of a server that was killed hold its shared memory until they notice, which takes them a moment. */
  async #launchWhenFree(place: PostgresPlace, dataDir: string): Promise<void> {
    for (const end = performance.now() + ORPHANS_TIMEOUT_MS; ; await delay(ORPHANS_PAUSE_MS)) {
      try {
        await this.#launch(place, dataDir);
        return;
      } catch (error) {
        const orphans = error instanceof Error && error.message.includes('pre-existing shared memory block');
        if (!orphans || performance.now() > end) throw error;
      }
    }
  }

  async #launch({ binaries, runAs }: PostgresPlace, dataDir: string): Promise<void> {
    const settings = [
      'listen_addresses=127.0.0.1',
      'unix_socket_directories=',
      'password_encryption=scram-sha-256',
      ...(this.#options.durable ? [] : ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off']),
    ];
    const child = this.#spawn(binaries.postgres, runAs, [
      '-D',
      dataDir,
      '-p',
      String(this.#options.port),
      ...settings.flatMap((setting) => ['-c', setting]),
    ]);
    this.#child = child;
    child.once('exit', () => {
      if (this.#child === child) this.#child = undefined;
    });
    const { promise: ready, resolve: onReady, reject: onExit } = Promise.withResolvers<void>();
    const watch = (line: string) => {
      if (line.includes('database system is ready to accept connections')) onReady();
    };
    this.#watchers.add(watch);
    child.once('close', () => onExit(this.#failure('Cannot start Postgres')));
    const timer = setTimeout(
      () => onExit(this.#failure(`Postgres was not ready after ${START_TIMEOUT_MS / 1000} s`)),
      START_TIMEOUT_MS,
    );
    try {
      await ready;
    } catch (error) {
      await this.stop();
      throw error;
    } finally {
      clearTimeout(timer);
      this.#watchers.delete(watch);
    }
  }

  #spawn(program: string, runAs: RunAs, args: string[]): ChildProcess {
    const [command = program, ...rest] = [...commandPrefix(runAs), program, ...args];
    this.#tail = [];
    const child = spawn(command, rest, {
      ...(runAs.kind === 'user' ? runAs.ids : {}),
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe'],
      // Messages are read for the moment when the server is ready.
      env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' },
    });
    child.on('error', (error) => this.#log(error.message));
    for (const stream of [child.stdout, child.stderr]) {
      let partial = '';
      stream?.setEncoding('utf8').on('data', (text: string) => {
        const lines = (partial + text).split('\n');
        partial = lines.pop() ?? '';
        for (const line of lines) this.#log(line);
      });
    }
    return child;
  }

  #log(line: string): void {
    this.#tail.push(line);
    if (this.#tail.length > LOG_TAIL_LINES) this.#tail.shift();
    this.#options.onLog?.(line);
    for (const watch of this.#watchers) watch(line);
  }

  #failure(what: string): Error {
    return new Error(`${what}:\n${this.#tail.join('\n')}`);
  }

  async #ensureDatabase(): Promise<void> {
    const client = new Client({ connectionString: this.url.replace(/[^/]+$/, 'postgres') });
    await client.connect();
    try {
      const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [DATABASE]);
      if (rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE}`);
    } finally {
      await client.end();
    }
  }
}

/**
 * Ends the server that `postmaster.pid` names. When its pid now belongs to some other program, only the file is
 * removed: Postgres would take that program for a running server and refuse to start.
 */
async function stopLeftover(dataDir: string): Promise<void> {
  const file = join(dataDir, 'postmaster.pid');
  const pid = Number((await readFile(file, 'utf8').catch(() => '')).split('\n')[0]);
  if (!Number.isInteger(pid) || pid <= 1) return;
  const found = await describeProcess(pid);
  if (found?.command.includes(dataDir) === true) await endProcess(found, STOP_SIGNAL, STOP_TIMEOUT_MS);
  await rm(file, { force: true });
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
