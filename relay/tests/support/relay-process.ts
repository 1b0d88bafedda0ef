import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePorts } from './free-ports.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export interface RelayProcess {
  process: ChildProcess;
  ports: { agent: number; agentWs: number; http: number; https: number; bridge: number; metrics: number; tcp: number };
  env: Record<string, string>;
  /** Resolves with its message when it is online. */
  ready: Promise<{ node_id: string }>;
  ended: Promise<{ code: number | null; output: string }>;
}

/** Environment and ports of a relay that ends with the test. */
export async function relayEnvironment(t: TestContext, apiUrl: string) {
  const stateDir = await mkdtemp(join(tmpdir(), 'tunnox-relay-'));
  t.after(() => rm(stateDir, { recursive: true, force: true }));
  const [agent = 0, agentWs = 0, http = 0, https = 0, bridge = 0, metrics = 0, tcp = 0] = await freePorts(7);
  const ports = { agent, agentWs, http, https, bridge, metrics, tcp };
  const env = {
    TUNNOX_API_URL: apiUrl,
    TUNNOX_JOIN_TOKEN: 'tnx_join_good',
    TUNNOX_STATE_DIR: stateDir,
    TUNNOX_BIND: '127.0.0.1',
    TUNNOX_PUBLIC_ADDRESS: '127.0.0.1',
    TUNNOX_AGENT_TCP_PORT: String(agent),
    TUNNOX_AGENT_WS_PORT: String(agentWs),
    TUNNOX_HTTP_PORT: String(http),
    TUNNOX_HTTPS_PORT: String(https),
    TUNNOX_BRIDGE_PORT: String(bridge),
    TUNNOX_METRICS_PORT: String(metrics),
    TUNNOX_PUBLIC_PORTS: `${tcp}-${tcp}`,
    TUNNOX_DRAIN_SECONDS: '1',
  };
  return { ports, env };
}

/** Starts a real relay as a process of its own. */
export function startRelay(t: TestContext, ports: RelayProcess['ports'], env: Record<string, string>): RelayProcess {
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const output = Promise.all([
    text(child.stdout as NodeJS.ReadableStream),
    text(child.stderr as NodeJS.ReadableStream),
  ]);
  const exited = once(child, 'exit');
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await exited;
  });
  const ready = new Promise<{ node_id: string }>((resolve, reject) => {
    child.on('message', (message: { type: string; node_id: string }) => {
      if (message.type === 'ready') resolve(message);
    });
    void exited.then(() => reject(new Error('The relay ended before it was ready')));
  });
  ready.catch(() => {});
  const ended = exited.then(async ([code]) => ({ code: code as number | null, output: (await output).join('') }));
  return { process: child, ports, env, ready, ended };
}
