import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { listeningPorts, planPorts } from '@tunnox/devstack/port-plan';
import { stackFilePath, type Stack } from '@tunnox/devstack/stack-file';
import type { ProcessGroup } from './process-group.ts';

const START_SCRIPT = fileURLToPath(new URL('../../scripts/start.js', import.meta.url));
/** Postgres is made afresh, everything else is warm. */
const START_TIMEOUT_MS = 120_000;
const STOP_GRACE_MS = 30_000;
const POLL_MS = 50;
const RELAYS = 2;
/** Distance between the bases that are tried: more than a block of two relays. */
const BASE_STEP = 100;
/** Below the range from which systems take the ports of outgoing connections. */
const BASE_MIN = 20_000;
const BASE_MAX = 32_000;

/** Starts a whole platform of its own (database, control plane, two relays) in a temporary folder. */
export async function startStack(group: ProcessGroup): Promise<Stack> {
  const home = await group.tempDir();
  const env = {
    ...process.env,
    TUNNOX_HOME: home,
    TUNNOX_PORT_BASE: String(await freePortBase()),
    TUNNOX_DEMO: 'off',
    TUNNOX_RESTART: 'off',
  };
  const started = group.start(process.execPath, [START_SCRIPT], { env, stopGraceMs: STOP_GRACE_MS });
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  while (performance.now() < deadlineMs) {
    if (started.ended !== null)
      throw new Error(`the stack ended (${started.ended}): ${started.stderr || 'no message'}`);
    const text = await readFile(stackFilePath(home), 'utf8').catch(() => null);
    if (text !== null) return JSON.parse(text) as Stack;
    await delay(POLL_MS);
  }
  throw new Error(`the stack was not ready within ${START_TIMEOUT_MS} ms: ${started.stderr}`);
}

async function freePortBase(): Promise<number> {
  for (let base = BASE_MIN; base < BASE_MAX; base += BASE_STEP) {
    const plan = planPorts(base, RELAYS);
    const ports = [
      ...listeningPorts(plan, true).map(([port]) => port),
      ...plan.relays.flatMap((relay) => [relay.publicFrom, relay.publicTo]),
    ];
    if ((await Promise.all(ports.map(isFree))).every((free) => free)) return base;
  }
  throw new Error(`no block of ports is free between ${BASE_MIN} and ${BASE_MAX}`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
