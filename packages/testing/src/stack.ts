import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ControlPlaneOptions } from '@tunnox/devstack/control-plane';
import { startControlPlane } from '@tunnox/devstack/control-plane-part';
import type { Running } from '@tunnox/devstack/keeper';
import { planPorts } from '@tunnox/devstack/port-plan';
import { describeProcess, isRunning } from '@tunnox/devstack/process-table';
import { startRelay } from '@tunnox/devstack/relay-part';
import { parseStackConfig, RELAY_COUNT } from '@tunnox/devstack/stack-config';
import { type Stack, type StackRelay, stackFilePath } from '@tunnox/devstack/stack-file';
import { freePortBlock } from './port-block.ts';
import { waitFor } from './wait-for.ts';

export interface StackOptions {
  /** Kept when the platform stops; default: a new folder that is removed. */
  home?: string;
  portBase?: number;
  /** Such as `TUNNOX_DEMO`, `TUNNOX_RESTART`, `REDIS_URL`. */
  env?: Record<string, string>;
}

/** A platform of its own, started as a person starts it. */
export interface RunningStack {
  /** What stands in stack.json; relays' pids follow restarts made through this object. */
  readonly stack: Stack;
  readonly home: string;
  readonly portBase: number;
  /** The process of `npm start`. */
  readonly starter: ChildProcess;
  /** Lines that it printed. */
  readonly output: string[];
  /** Ctrl-C; resolves with the exit code. */
  stop: () => Promise<number | null>;
  /** Reads stack.json again. */
  reload: () => Promise<Stack>;
  /** Kills a relay at once and waits until it is gone. */
  killRelay: (nodeId: string) => Promise<void>;
  /** Starts a killed relay again (with `TUNNOX_RESTART=off`); otherwise waits until the platform has. */
  startRelay: (nodeId: string) => Promise<StackRelay>;
  /** Kills the control plane and its workerd at once; needs `TUNNOX_RESTART=off`. Postgres stays. */
  stopControlPlane: () => Promise<void>;
  startControlPlane: () => Promise<void>;
}

const START = fileURLToPath(new URL('../../../scripts/start.js', import.meta.url));
const BLOCK_SIZE = 100;
const START_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 60_000;
const GONE_TIMEOUT_MS = 20_000;

/** Starts a platform with `scripts/start.js` and waits until it says that it is ready. */
export async function startStack(options: StackOptions = {}): Promise<RunningStack> {
  const home = options.home ?? (await mkdtemp(join(tmpdir(), 'tunnox-stack-')));
  const portBase = options.portBase ?? (await freePortBlock(BLOCK_SIZE));
  await mkdir(home, { recursive: true });
  const env: NodeJS.ProcessEnv = {
    ...Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !/^(?:TUNNOX_|REDIS_URL|UPSTASH_|npm_)/.test(name)),
    ),
    ...options.env,
    TUNNOX_HOME: home,
    TUNNOX_PORT_BASE: String(portBase),
  };
  const starter = spawn(process.execPath, [START], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  // A test file that is cut short must not leave a platform behind.
  const kill = () => starter.kill('SIGTERM');
  process.once('exit', kill);
  const output: string[] = [];
  const exited = once(starter, 'exit').then(() => process.off('exit', kill));
  const removeHome = async () => {
    if (options.home === undefined) await rm(home, { recursive: true, force: true });
  };
  try {
    await ready(starter, output, exited);
  } catch (error) {
    starter.kill('SIGTERM');
    await exited;
    await removeHome();
    throw error;
  }
  const read = async () => JSON.parse(await readFile(stackFilePath(home), 'utf8')) as Stack;
  const stack = await read();
  const config = parseStackConfig(env, '/');
  /** Parts that this object has started. */
  const own = new Map<string, Running>();
  const relayOf = (nodeId: string) => {
    const index = stack.relays.findIndex(({ node_id }) => node_id === nodeId);
    const relay = stack.relays[index];
    const ports = planPorts(portBase, RELAY_COUNT).relays[index];
    if (relay === undefined || ports === undefined) throw new Error(`This platform has no relay ${nodeId}`);
    return { relay, ports, number: index + 1 };
  };
  return {
    stack,
    home,
    portBase,
    starter,
    output,
    reload: async () => Object.assign(stack, await read()),
    stop: async () => {
      for (const part of own.values()) await part.stop();
      own.clear();
      starter.kill('SIGINT');
      const timer = setTimeout(() => starter.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await exited;
      clearTimeout(timer);
      await removeHome();
      return starter.exitCode;
    },
    killRelay: async (nodeId) => {
      const { relay } = relayOf(nodeId);
      await killAndWait(relay.pid, 'SIGKILL');
      own.delete(nodeId);
    },
    startRelay: async (nodeId) => {
      const { relay, ports, number } = relayOf(nodeId);
      if (config.restart) {
        const before = relay.pid;
        await waitFor(async () => {
          Object.assign(stack, await read());
          return relayOf(nodeId).relay.pid !== before;
        }, START_TIMEOUT_MS);
        return relayOf(nodeId).relay;
      }
      const certificate = { certFile: join(home, 'tls', 'server.pem'), keyFile: join(home, 'tls', 'server-key.pem') };
      const { redis } = config;
      const part = await startRelay({
        number,
        home,
        ports,
        apiUrl: stack.api_url,
        joinToken: await readJoinToken(home),
        certificate,
        redis,
      });
      own.set(nodeId, part);
      relay.pid = part.pid;
      return relay;
    },
    stopControlPlane: async () => {
      const running = own.get('control-plane');
      own.delete('control-plane');
      if (running !== undefined) return await running.stop();
      const { control_plane, workerd } = (await read()).pids;
      if (control_plane === undefined || workerd === undefined) throw new Error('stack.json names no control plane');
      await killAndWait(control_plane, 'SIGKILL');
      await killAndWait(workerd, 'SIGKILL');
    },
    startControlPlane: async () => {
      const text = await readFile(join(home, 'control-plane.json'), 'utf8');
      const controlPlane = JSON.parse(text) as ControlPlaneOptions;
      own.set('control-plane', await startControlPlane({ home, controlPlane, onRuntimeStarted: () => {} }));
    },
  };
}

/** The token that the platform made for its own relays; a relay with an id does not need it any more. */
async function readJoinToken(home: string): Promise<string> {
  const accounts = JSON.parse(await readFile(join(home, 'accounts.json'), 'utf8')) as {
    join_token: { join_token: string };
  };
  return accounts.join_token.join_token;
}

async function ready(starter: ChildProcess, output: string[], exited: Promise<unknown>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  for (const stream of [starter.stdout, starter.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on('line', (line) => {
      output.push(line);
      if (line.startsWith('Tunnox is ready')) resolve();
    });
  }
  const timer = setTimeout(
    () => reject(new Error(`The platform was not ready in time:\n${output.join('\n')}`)),
    START_TIMEOUT_MS,
  );
  void exited.then(() => reject(new Error(`The platform did not start:\n${output.join('\n')}`)));
  try {
    await promise;
  } finally {
    clearTimeout(timer);
  }
}

async function killAndWait(pid: number, signal: NodeJS.Signals): Promise<void> {
  const found = await describeProcess(pid);
  if (found === null) return;
  process.kill(pid, signal);
  await waitFor(async () => !(await isRunning(found)), GONE_TIMEOUT_MS);
}
