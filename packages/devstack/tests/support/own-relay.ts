import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePortBlock } from '@tunnox/testing/port-block';
import type { Stack } from '../../src/stack-file.ts';
import { api } from './tenant.ts';

/** A relay process that a test starts beside the platform's own. */
export interface OwnRelay {
  readonly nodeId: string;
  readonly process: ChildProcess;
  /** Where it serves visitors over HTTP. */
  readonly httpPort: number;
  /** Resolves with exit code or signal. */
  readonly ended: Promise<number | NodeJS.Signals>;
  /** Starts it again with the same key: the same node. */
  restart(): Promise<OwnRelay>;
  /** Ends it, and removes its key. */
  remove(): Promise<void>;
}

export interface OwnRelayOptions {
  group: string;
  /** Such as `TUNNOX_PUBLIC_IPV4`. */
  env: Record<string, string>;
}

const MAIN = fileURLToPath(new URL('../../../../relay/src/main.ts', import.meta.url));
const HOST = '127.0.0.1';
const PORTS = 10;
const START_TIMEOUT_MS = 60_000;

/** Starts a relay of a group and waits until it serves. */
export async function startOwnRelay(stack: Stack, options: OwnRelayOptions): Promise<OwnRelay> {
  const { join_token } = await api<{ join_token: string }>(stack, stack.operator_key, 'POST', '/api/v1/join-tokens', {
    relay_group: options.group,
  });
  const stateDir = await mkdtemp(join(tmpdir(), 'tunnox-own-relay-'));
  const first = await freePortBlock(PORTS);
  const env = {
    ...Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !/^(?:TUNNOX_|REDIS_URL|UPSTASH_)/.test(name)),
    ),
    TUNNOX_API_URL: stack.api_url,
    TUNNOX_JOIN_TOKEN: join_token,
    TUNNOX_STATE_DIR: stateDir,
    TUNNOX_BIND: HOST,
    TUNNOX_PUBLIC_ADDRESS: 'relay.example.net',
    TUNNOX_AGENT_TCP_PORT: String(first),
    TUNNOX_AGENT_WS_PORT: String(first + 1),
    TUNNOX_HTTP_PORT: String(first + 2),
    TUNNOX_HTTPS_PORT: String(first + 3),
    TUNNOX_BRIDGE_PORT: String(first + 4),
    TUNNOX_METRICS_PORT: String(first + 5),
    TUNNOX_PUBLIC_PORTS: `${first + 6}-${first + PORTS - 1}`,
    TUNNOX_DRAIN_SECONDS: '1',
    TUNNOX_LOG_LEVEL: 'warn',
    ...options.env,
  };
  const start = async (): Promise<OwnRelay> => {
    const child = spawn(process.execPath, [MAIN], { env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    // A test file that is cut short must not leave its relay behind.
    const kill = () => child.kill('SIGKILL');
    process.once('exit', kill);
    const ended = once(child, 'exit').then(([code, signal]) => {
      process.off('exit', kill);
      return (code ?? signal) as number | NodeJS.Signals;
    });
    const ready = once(child, 'message', { signal: AbortSignal.timeout(START_TIMEOUT_MS) });
    const [message] = (await Promise.race([
      ready,
      ended.then((end) => Promise.reject(new Error(`The relay ended while it started: ${end}`))),
    ])) as [{ node_id: string }];
    return {
      nodeId: message.node_id,
      process: child,
      httpPort: first + 2,
      ended,
      restart: start,
      remove: async () => {
        child.kill('SIGKILL');
        await ended;
        await rm(stateDir, { recursive: true, force: true });
      },
    };
  };
  return await start();
}
