import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';

export interface RedisServer {
  /** `redis://127.0.0.1:port` */
  url: string;
  port: number;
  /** Stops answering without closing anything, as a network that drops packets. */
  freeze(): void;
  thaw(): void;
  stop(): Promise<void>;
}

/**
 * Value for the `skip` option of a test that needs a Redis: the reason when `redis-server` is not installed. Under
 * `CI=true` nothing is skipped, so a missing server fails the test.
 */
export function redisMissing(): string | false {
  if (process.env['CI'] === 'true') return false;
  const found = spawnSync('redis-server', ['--version'], { stdio: 'ignore' });
  return found.error === undefined ? false : 'redis-server is not installed';
}

/** Starts a real, empty redis-server on a free loopback port (or on `port`). */
export async function startRedisServer(port?: number): Promise<RedisServer> {
  const chosen = port ?? (await freePort());
  const child = spawn(
    'redis-server',
    ['--port', String(chosen), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--daemonize', 'no'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await ready(child);
  return {
    url: `redis://127.0.0.1:${chosen}`,
    port: chosen,
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}

async function ready(child: ChildProcess): Promise<void> {
  await once(child, 'spawn');
  const output: string[] = [];
  const lines = createInterface({ input: child.stdout! });
  for await (const line of lines) {
    output.push(line);
    if (line.includes('Ready to accept connections')) {
      child.stdout!.resume();
      return;
    }
  }
  throw new Error(`Cannot start redis-server: it ended with\n${output.join('\n')}`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
