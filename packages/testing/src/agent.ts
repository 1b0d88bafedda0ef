import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { RunningStack } from './stack.ts';

/** One line that `tunnox --json` printed. */
export interface AgentEvent {
  event: string;
  [member: string]: unknown;
}

/** What the `ready` event says. */
export interface AgentReady {
  url: string;
  urls: string[];
  client_id: number;
  node_id: string;
}

/** A `tunnox` command with `--json`, as a person runs it. */
export interface AgentProcess {
  readonly pid: number;
  /** Every event so far. */
  readonly events: AgentEvent[];
  /** Exit code; null when it was killed. */
  readonly exited: Promise<number | null>;
  /** The `ready` event, also when it has been before. */
  ready: () => Promise<AgentReady>;
  /** The next event of this name after those that `ready()` and `next()` have given. */
  next: (name: string) => Promise<AgentEvent>;
  kill: (signal: NodeJS.Signals) => void;
  /** SIGTERM and wait. */
  stop: () => Promise<void>;
}

const TUNNOX = fileURLToPath(new URL('../../cli/bin/tunnox.js', import.meta.url));
const EVENT_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 10_000;

/**
 * Runs `tunnox` against a platform. Commands with the same key (and those without one) share saved credentials, as on
 * one person's machine.
 */
export async function startAgent(
  platform: Pick<RunningStack, 'stack' | 'home'>,
  args: string[],
  apiKey?: string,
  env: Record<string, string> = {},
): Promise<AgentProcess> {
  const person = createHash('sha256')
    .update(apiKey ?? 'anonymous')
    .digest('hex')
    .slice(0, 12);
  const child = spawn(process.execPath, [TUNNOX, ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TUNNOX_'))),
      TUNNOX_SERVER: platform.stack.api_url,
      TUNNOX_CONFIG_DIR: join(platform.home, 'persons', person),
      ...(apiKey === undefined ? {} : { TUNNOX_API_KEY: apiKey }),
      ...env,
    },
  });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const exited = once(child, 'exit').then(([code]) => {
    process.off('exit', kill);
    return code as number | null;
  });
  await once(child, 'spawn');
  const { pid } = child;
  if (pid === undefined) throw new Error('The tunnox command did not start');
  const log = new EventLog(child, exited);
  return {
    pid,
    events: log.events,
    exited,
    ready: async () => (await log.find('ready', 0)) as unknown as AgentReady,
    next: (name) => log.next(name),
    kill: (signal) => void child.kill(signal),
    stop: async () => {
      child.kill('SIGTERM');
      // One that is frozen does not hear SIGTERM.
      child.kill('SIGCONT');
      const timer = setTimeout(kill, STOP_TIMEOUT_MS);
      await exited;
      clearTimeout(timer);
    },
  };
}

/** Keeps the events in order and lets callers wait for the next of a name. */
class EventLog {
  readonly events: AgentEvent[] = [];
  readonly #errors: string[] = [];
  #given = 0;
  #waiting: (() => void)[] = [];
  #ended = false;

  constructor(child: ChildProcess, exited: Promise<unknown>) {
    const outputs = [
      [child.stdout, (line: string) => this.events.push(JSON.parse(line) as AgentEvent)],
      [child.stderr, (line: string) => this.#errors.push(line)],
    ] as const;
    const closed = outputs.map(async ([stream, take]) => {
      if (stream === null) return;
      const lines = createInterface({ input: stream });
      lines.on('line', (line) => {
        take(line);
        this.#wake();
      });
      await once(lines, 'close');
    });
    void Promise.all([exited, ...closed]).then(() => {
      this.#ended = true;
      this.#wake();
    });
  }

  async next(name: string): Promise<AgentEvent> {
    return await this.find(name, this.#given);
  }

  /** The first event of this name at or after `from`. */
  async find(name: string, from: number): Promise<AgentEvent> {
    const signal = AbortSignal.timeout(EVENT_TIMEOUT_MS);
    for (;;) {
      const index = this.events.findIndex((event, at) => at >= from && event.event === name);
      const found = this.events[index];
      if (found !== undefined) {
        this.#given = Math.max(this.#given, index + 1);
        return found;
      }
      if (this.#ended || signal.aborted) throw new Error(this.#story(name));
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  #story(name: string): string {
    const lines = [...this.events.map((event) => JSON.stringify(event)), ...this.#errors];
    return `The agent said no '${name}'${this.#ended ? ' before it ended' : ' in time'}:\n${lines.join('\n')}`;
  }
}
