import { Keeper, type Running } from './keeper.ts';
import type { ProcessIdentity } from './process-table.ts';
import { RunRecord } from './run-record.ts';
import { StackError } from './stack-error.ts';
import { removeStackFile, type Stack, writeStackFile } from './stack-file.ts';

export interface KeptPartsOptions {
  home: string;
  /** Null: a part that ends stays away. */
  restartDelayMs: number | null;
  print: (line: string) => void;
}

/** The parts of a platform that were started: in order, with their pids in run.json and, once it is ready, stack.json. */
export class KeptParts {
  readonly #options: KeptPartsOptions;
  readonly #record: RunRecord;
  readonly #started: { stop: () => Promise<void> }[] = [];
  #stack: Stack | undefined;
  #stopping: Promise<void> | undefined;

  private constructor(options: KeptPartsOptions, record: RunRecord) {
    this.#options = options;
    this.#record = record;
  }

  /**
   * Takes the folder and ends what an unclean end left there.
   *
   * @param owners Pids of processes that the platform must not outlive.
   * @throws {StackError} when a platform runs there.
   */
  static async take(options: KeptPartsOptions, owners: number[]): Promise<KeptParts> {
    const record = await RunRecord.take(options.home, owners);
    await removeStackFile(options.home);
    return new KeptParts(options, record);
  }

  /** A part within this process. */
  add(part: { stop: () => Promise<void> }): void {
    this.#started.push(part);
  }

  /**
   * Starts a process and starts it again whenever it ends.
   *
   * @param key Name of its pid in stack.json.
   * @returns Its first pid.
   * @throws What the first start throws.
   */
  async keep(name: string, key: string, start: () => Promise<Running>): Promise<number> {
    this.#throwIfStopping();
    let first: number | undefined;
    const keeper = new Keeper({
      name,
      start,
      onStarted: async (pid) => {
        first ??= pid;
        await this.setPid(key, pid);
      },
      restartDelayMs: this.#options.restartDelayMs,
      print: this.#options.print,
    });
    this.#started.push(keeper);
    await keeper.start();
    this.#throwIfStopping();
    if (first === undefined) throw new StackError(`${name} did not start.`);
    return first;
  }

  /** Notes the pid of a process that runs now. */
  async setPid(key: string, pid: number): Promise<void> {
    await this.#record.set(key, pid);
    const relay = this.#stack?.relays[Number(/^relay_(\d+)$/.exec(key)?.[1]) - 1];
    if (relay !== undefined) relay.pid = pid;
    await this.#writeStack();
  }

  /** The process whose pid was noted last. */
  identity(key: string): ProcessIdentity | undefined {
    return this.#record.identity(key);
  }

  /** Everything serves: stack.json appears, and follows restarts. */
  async publish(stack: Stack): Promise<void> {
    this.#throwIfStopping();
    this.#stack = stack;
    await this.#writeStack();
  }

  /** Stops everything in reverse order; a start that is going on fails then. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async #stopAll(): Promise<void> {
    await removeStackFile(this.#options.home);
    const failures: unknown[] = [];
    // One that cannot be stopped leaves no other behind.
    for (const part of this.#started.toReversed()) await part.stop().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
    await this.#record.remove();
  }

  async #writeStack(): Promise<void> {
    if (this.#stack === undefined || this.#stopping !== undefined) return;
    const pids = Object.entries(this.#record.pids).filter(([key]) => !key.startsWith('relay_'));
    this.#stack.pids = { supervisor: process.pid, ...Object.fromEntries(pids.toReversed()) };
    await writeStackFile(this.#options.home, this.#stack);
  }

  #throwIfStopping(): void {
    if (this.#stopping !== undefined) throw new StackError('Stopped while it was starting.');
  }
}
