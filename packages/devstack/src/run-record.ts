import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readTextFile, replaceFile } from '@tunnox/certificates/key-files';
import { z } from 'zod';
import { describeProcess, endProcess, isRunning, type ProcessIdentity } from './process-table.ts';
import { StackError } from './stack-error.ts';

const identitySchema = z.object({ pid: z.int().min(2), startedAt: z.string() });

const recordSchema = z.object({
  supervisor: identitySchema,
  /** Who asked for the platform: the start script, npm. It ends with any of them. */
  owners: z.array(identitySchema),
  /** Everything else that runs, latest first. */
  processes: z.record(z.string(), identitySchema),
});

type Data = z.infer<typeof recordSchema>;

/** A supervisor stops its parts in order within this time. */
const SUPERVISOR_GRACE_MS = 30_000;
const LEFTOVER_GRACE_MS = 5000;

/** Who runs on one TUNNOX_HOME: `run.json`. Processes are told apart by pid and start time, so a reused pid is safe. */
export class RunRecord {
  readonly #file: string;
  readonly #data: Data;
  #writing: Promise<void> = Promise.resolve();

  private constructor(file: string, data: Data) {
    this.#file = file;
    this.#data = data;
  }

  /**
   * Takes the folder: ends what an unclean end left running, then writes the record.
   *
   * @param owners Pids of the processes that this platform must not outlive.
   * @throws {StackError} when a platform runs there.
   */
  static async take(home: string, owners: number[]): Promise<RunRecord> {
    const file = join(home, 'run.json');
    const left = parse(await readTextFile(file));
    if (left !== null) await endLeftovers(left, home);
    const identities = await Promise.all(owners.map(identify));
    const data: Data = {
      supervisor: await identify(process.pid),
      owners: identities,
      processes: {},
    };
    const record = new RunRecord(file, data);
    await record.#write();
    return record;
  }

  async set(name: string, pid: number): Promise<void> {
    const found = await describeProcess(pid);
    if (found === null) return;
    const { startedAt } = found;
    delete this.#data.processes[name];
    this.#data.processes = { [name]: { pid, startedAt }, ...this.#data.processes };
    await this.#write();
  }

  /** Pids by name, of those that were last set. */
  get pids(): Record<string, number> {
    return Object.fromEntries(Object.entries(this.#data.processes).map(([name, { pid }]) => [name, pid]));
  }

  identity(name: string): ProcessIdentity | undefined {
    return this.#data.processes[name];
  }

  async remove(): Promise<void> {
    // On a full disk the last note may have failed.
    await this.#writing.catch(() => {});
    await rm(this.#file, { force: true });
  }

  async #write(): Promise<void> {
    this.#writing = this.#writing
      .catch(() => {})
      .then(() => replaceFile(this.#file, `${JSON.stringify(this.#data, null, 2)}\n`, 0o600));
    await this.#writing;
  }
}

async function endLeftovers(left: Data, home: string): Promise<void> {
  if (await isRunning(left.supervisor)) {
    const owners = await Promise.all(left.owners.map(isRunning));
    if (owners.every(Boolean)) {
      throw new StackError(
        `Tunnox runs already on ${home} (process ${left.supervisor.pid}). Use that one, stop it with Ctrl-C, ` +
          'or set TUNNOX_HOME and TUNNOX_PORT_BASE to run another beside it.',
      );
    }
    await endProcess(left.supervisor, 'SIGTERM', SUPERVISOR_GRACE_MS);
  }
  // Postgres is asked to shut down, workerd and the others have nothing to save.
  for (const [name, identity] of Object.entries(left.processes)) {
    await endProcess(identity, name === 'postgres' ? 'SIGINT' : 'SIGTERM', LEFTOVER_GRACE_MS);
  }
}

async function identify(pid: number): Promise<ProcessIdentity> {
  const found = await describeProcess(pid);
  if (found === null) throw new StackError(`Process ${pid}, which asked for this platform, has ended.`);
  return { pid, startedAt: found.startedAt };
}

/** A record that cannot be read names nobody. */
function parse(text: string | null): Data | null {
  if (text === null) return null;
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
