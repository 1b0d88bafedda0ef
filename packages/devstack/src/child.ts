import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { LogFile } from './log-file.ts';
import { StackError } from './stack-error.ts';

export interface ChildOptions {
  /** For messages: `relay 1`. */
  name: string;
  /** Script and its arguments; run by the Node of this process. */
  args: string[];
  env: NodeJS.ProcessEnv;
  log: LogFile;
  /** Each line of its standard output. */
  onLine?: (line: string) => void;
  /** Each message on its IPC channel. */
  onMessage?: (message: unknown) => void;
}

const DIE_WITH_PARENT = fileURLToPath(new URL('die-with-parent.ts', import.meta.url));
const TAIL_LINES = 25;

/** A Node process of the platform: output into a log file, ends when this process ends. */
export class Child {
  readonly name: string;
  readonly pid: number;
  readonly #process: ChildProcess;
  readonly #tail: string[] = [];
  readonly #logPath: string;
  /** Settles when the process has ended. */
  readonly exited: Promise<void>;

  private constructor(options: ChildOptions, child: ChildProcess, pid: number) {
    this.name = options.name;
    this.pid = pid;
    this.#process = child;
    this.#logPath = options.log.path;
    this.exited = once(child, 'exit').then(() => {});
    for (const [stream, onLine] of [
      [child.stdout, options.onLine],
      [child.stderr, undefined],
    ] as const) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        options.log.write(line);
        this.#tail.push(line);
        if (this.#tail.length > TAIL_LINES) this.#tail.shift();
        onLine?.(line);
      });
    }
    child.on('message', (message) => options.onMessage?.(message));
  }

  static async start(options: ChildOptions): Promise<Child> {
    const child = spawn(process.execPath, ['--import', DIE_WITH_PARENT, ...options.args], {
      env: options.env,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const { promise: spawned, resolve, reject } = Promise.withResolvers<void>();
    child.once('spawn', resolve);
    child.once('error', reject);
    await spawned;
    child.on('error', () => {});
    if (child.pid === undefined) throw new StackError(`${options.name} did not start`);
    return new Child(options, child, child.pid);
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Waits for `ready`; when the process ends first, throws with its last lines. */
  async waitUntil(ready: Promise<void>, timeoutMs: number): Promise<void> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(this.failure(`is not ready after ${timeoutMs / 1000} s`)), timeoutMs);
    try {
      await Promise.race([
        ready,
        late,
        this.exited.then(() => {
          throw this.failure('ended while it was starting');
        }),
      ]);
    } finally {
      clearTimeout(timer);
    }
  }

  failure(what: string): StackError {
    return new StackError(
      `${this.name} ${what}. Its last lines (all of them: ${this.#logPath}):\n${this.#tail.join('\n')}`,
    );
  }

  /** Asks the process to end, kills it after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    if (!this.running) return;
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), graceMs);
    await this.exited;
    clearTimeout(timer);
  }
}
