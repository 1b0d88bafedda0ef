import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const STOP_GRACE_MS = 5_000;
const STDERR_KEPT_BYTES = 4_096;

export interface StartOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
}

/**
 * Owner of every process and clean-up step of a run: what was started last is stopped first. `stop()` can be called
 * twice and takes at most a few seconds for each thing; nothing can be started after it.
 */
export class ProcessGroup {
  readonly #steps: (() => Promise<void>)[] = [];
  #stopped = false;

  /** Runs `step` at the stop; at once if that has been. */
  defer(step: () => Promise<void>): void {
    this.#steps.push(step);
    if (this.#stopped) void this.stop();
  }

  /** A group that can be stopped alone and is stopped with this one. */
  child(): ProcessGroup {
    this.#refuseAfterStop();
    const group = new ProcessGroup();
    this.defer(() => group.stop());
    return group;
  }

  /** A new folder that is removed at the stop. */
  async tempDir(): Promise<string> {
    const dir = await mkdtemp(join(tmpdir(), 'tunnox-bench-'));
    this.defer(async () => rm(dir, { recursive: true, force: true, maxRetries: 3 }));
    return dir;
  }

  /** Starts a process that is stopped with the group. A command that does not exist shows as an early exit. */
  start(command: string, args: readonly string[], options: StartOptions = {}): Started {
    this.#refuseAfterStop();
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const started = new Started(child, [command, ...args].join(' '));
    this.defer(() => started.stop());
    return started;
  }

  /** Starts one of the TypeScript programs in `load/`; it prints JSON lines and ends when its input ends. */
  startLoad(script: string, params: unknown): Started {
    const path = fileURLToPath(new URL(`./load/${script}`, import.meta.url));
    return this.start(process.execPath, [path, JSON.stringify(params)]);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      await step().catch((error: unknown) => {
        process.stderr.write(`bench: clean-up failed: ${String(error)}\n`);
      });
    }
  }

  #refuseAfterStop(): void {
    if (this.#stopped) throw new Error('the run was stopped');
  }
}

/** A running process whose standard output is read as lines. */
export class Started {
  readonly #child: ChildProcess;
  readonly #command: string;
  readonly #lines: string[] = [];
  #wake = Promise.withResolvers<void>();
  #stderr = '';
  #ended: string | null = null;
  readonly #exited: Promise<void>;

  constructor(child: ChildProcess, command: string) {
    this.#child = child;
    this.#command = command;
    // `exit` is the process's end; `close` comes when its last line has been read.
    this.#exited = new Promise((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', (error) => {
        this.#end(error.message);
        resolve();
      });
    });
    child.once('close', (code, signal) => this.#end(`exit ${signal ?? code}`));
    child.stdin?.on('error', () => {});
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_KEPT_BYTES);
    });
    if (child.stdout !== null) {
      createInterface({ input: child.stdout }).on('line', (line) => {
        this.#lines.push(line);
        this.#notify();
      });
    }
  }

  /** @throws {Error} when the process could not be started */
  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`Cannot start '${this.#command}': ${this.#ended ?? 'no pid'}`);
    return this.#child.pid;
  }

  /** How the process ended, null while it runs. */
  get ended(): string | null {
    return this.#ended;
  }

  /** Last output on standard error, for messages. */
  get stderr(): string {
    return this.#stderr.trim();
  }

  /** Writes one JSON line to the process. */
  send(value: unknown): void {
    this.#child.stdin?.write(`${JSON.stringify(value)}\n`);
  }

  /**
   * Waits for the next line that `pick` turns into a value; other lines are skipped.
   *
   * @throws {Error} when the process ends first or `timeoutMs` passes
   */
  async line<T>(pick: (line: string) => T | undefined, timeoutMs: number): Promise<T> {
    const timer = new AbortController();
    const timeout = delay(timeoutMs, 'timeout' as const, { signal: timer.signal }).catch(() => 'timeout' as const);
    try {
      for (;;) {
        for (let line = this.#lines.shift(); line !== undefined; line = this.#lines.shift()) {
          const value = pick(line);
          if (value !== undefined) return value;
        }
        if (this.#ended !== null) {
          throw new Error(`'${this.#command}' ended (${this.#ended}): ${this.stderr || 'no message'}`);
        }
        if ((await Promise.race([this.#wake.promise, timeout])) === 'timeout') {
          throw new Error(`'${this.#command}' said nothing for ${timeoutMs} ms: ${this.stderr || 'no message'}`);
        }
      }
    } finally {
      timer.abort();
    }
  }

  /** Next line as JSON. Lines are our own programs' and not checked further. */
  async json<T>(timeoutMs: number): Promise<T> {
    return this.line((line) => JSON.parse(line) as T, timeoutMs);
  }

  /** Ends the process: input closed and SIGTERM, SIGKILL after a grace period. */
  async stop(): Promise<void> {
    if (this.#child.pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.stdin?.end();
    this.#child.kill('SIGTERM');
    const kill = setTimeout(() => this.#child.kill('SIGKILL'), STOP_GRACE_MS);
    await this.#exited;
    clearTimeout(kill);
  }

  #end(how: string): void {
    this.#ended ??= how;
    this.#notify();
  }

  #notify(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }
}
