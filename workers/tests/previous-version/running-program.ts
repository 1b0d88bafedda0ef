import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const WAIT_MS = 30_000;
const STOP_MS = 15_000;

type Line = Record<string, unknown>;

/** A relay or an agent in a process of its own; what it says in JSON, by lines or as messages, can be waited for. */
export class RunningProgram {
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #lines: Line[] = [];
  readonly #texts: string[] = [];
  #wake = Promise.withResolvers<void>();

  constructor(name: string, file: string, args: string[], env: Record<string, string>) {
    this.#name = name;
    const inherited = Object.entries(process.env).filter(([key]) => !/^(?:TUNNOX_|REDIS_URL|UPSTASH_|npm_)/.test(key));
    this.#child = spawn(process.execPath, [file, ...args], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...Object.fromEntries(inherited), ...env },
    });
    this.#child.on('message', (message) => this.#note(message as Line));
    this.#child.once('exit', () => this.#wakeUp());
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        this.#texts.push(line);
        if (line.startsWith('{')) this.#note(JSON.parse(line) as Line);
      });
    }
  }

  /** The first that matches, of all that it has said and will say. */
  async says(matches: (line: Line) => boolean): Promise<Line> {
    const signal = AbortSignal.timeout(WAIT_MS);
    const late = once(signal, 'abort');
    for (;;) {
      const found = this.#lines.find(matches);
      if (found !== undefined) return found;
      if (signal.aborted || this.#child.exitCode !== null) {
        throw new Error(`${this.#name} did not say it:\n${this.#texts.slice(-30).join('\n')}`);
      }
      await Promise.race([this.#wake.promise, late]);
    }
  }

  /** SIGTERM; resolves when it has gone. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS);
    await gone;
    clearTimeout(timer);
  }

  #note(line: Line): void {
    this.#lines.push(line);
    this.#wakeUp();
  }

  #wakeUp(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }
}
