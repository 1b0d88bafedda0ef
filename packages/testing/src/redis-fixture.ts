import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { findProgram } from './needs.ts';
import { freePort } from './free-port.ts';

export interface RedisFixture {
  /** `redis://127.0.0.1:port` */
  url: string;
  port: number;
  /** Kills the server; resume() starts an empty one on the same port. */
  pause: () => Promise<void>;
  resume: () => Promise<void>;
  /** Stops answering without closing anything, as a network that drops packets; thaw() lets it go on. */
  freeze: () => void;
  thaw: () => void;
  stop: () => Promise<void>;
}

const START_TIMEOUT_MS = 10_000;

/** Starts a real redis-server that keeps nothing on disk. Ask `needs('redis-server')` before. */
export async function startRedis(): Promise<RedisFixture> {
  const program = findProgram('redis-server');
  if (program === null) throw new Error('Cannot start Redis: redis-server is not installed');
  const port = await freePort();
  let child: ChildProcess | undefined;
  const resume = async () => {
    child ??= await launch(program, port);
  };
  const stop = async () => {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null) return;
    running.kill('SIGKILL');
    await once(running, 'exit');
  };
  await resume();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    pause: stop,
    resume,
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    stop,
  };
}

async function launch(program: string, port: number): Promise<ChildProcess> {
  const child = spawn(program, ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: '/',
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), START_TIMEOUT_MS);
  try {
    const tail: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.includes('Ready to accept connections')) {
        child.stdout.resume();
        return child;
      }
      tail.push(line);
    }
    throw new Error(`Cannot start Redis:\n${tail.slice(-5).join('\n')}`);
  } finally {
    clearTimeout(timer);
  }
}
