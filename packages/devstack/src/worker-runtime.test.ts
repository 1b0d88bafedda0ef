import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { freePort } from '@tunnox/testing/free-port';
import { WorkerRuntime } from './worker-runtime.ts';

const CODE = `
import { DurableObject } from 'cloudflare:workers';
export class Counter extends DurableObject {
  async add(by) {
    const n = ((await this.ctx.storage.get('n')) ?? 0) + by;
    await this.ctx.storage.put('n', n);
    return n;
  }
}
const counter = (env) => env.COUNTER.get(env.COUNTER.idFromName('one'));
export default {
  async fetch(request, env) {
    console.log('asked for ' + new URL(request.url).host);
    return Response.json({ n: await counter(env).add(1), greeting: env.GREETING });
  },
  async scheduled(event, env) {
    if (event.cron === 'fail') throw new Error('on purpose');
    await counter(env).add(100);
  },
};`;

let storageDir: string;
let port: number;
let runtime: WorkerRuntime;
let pids: number[];
let lines: string[];
let onStarted: (pid: number) => void;
const makeRuntime = () =>
  new WorkerRuntime({
    bundle: {
      name: 'test',
      compatibilityDate: '2026-11-01',
      compatibilityFlags: ['nodejs_compat'],
      objects: { COUNTER: 'Counter' },
      code: CODE,
    },
    vars: { GREETING: 'hello' },
    port,
    storageDir,
    onLog: (line) => lines.push(line),
    onRuntimeStarted: (pid) => {
      pids.push(pid);
      onStarted(pid);
    },
  });
const ask = async () => (await (await fetch(`http://127.0.0.1:${port}/`)).json()) as { n: number; greeting: string };

beforeEach(async () => {
  storageDir = await mkdtemp(join(tmpdir(), 'tunnox-objects-'));
  port = await freePort();
  [pids, lines, onStarted] = [[], [], () => {}];
  runtime = makeRuntime();
});
afterEach(async () => {
  await runtime.stop();
  await rm(storageDir, { recursive: true, force: true });
});

test('WorkerRuntime serves the Worker, runs its scheduled handler and passes its console on', async () => {
  await runtime.start();
  assert.deepEqual(await ask(), { n: 1, greeting: 'hello' });
  await runtime.runScheduled('* * * * *');
  assert.equal((await ask()).n, 102);
  await assert.rejects(runtime.runScheduled('fail'), /scheduled handler of the Worker failed/);
  assert.ok(lines.some((line) => line.includes(`asked for 127.0.0.1:${port}`)));
});

test('WorkerRuntime keeps its Durable Objects over a restart', async () => {
  await runtime.start();
  assert.equal((await ask()).n, 1);
  await runtime.stop();
  runtime = makeRuntime();
  await runtime.start();
  assert.equal((await ask()).n, 2);
});

test('WorkerRuntime tells the pid of workerd, and replaces one that was killed', async () => {
  await runtime.start();
  await ask();
  const [pid] = pids;
  assert.ok(pid !== undefined);
  const replaced = new Promise<number>((resolve) => {
    onStarted = resolve;
  });
  process.kill(pid, 'SIGKILL');
  assert.notEqual(await replaced, pid);
  await assert.doesNotReject(answered());
  assert.equal((await ask()).n >= 2, true);
});

test('WorkerRuntime.stop() leaves no workerd', async () => {
  await runtime.start();
  await runtime.stop();
  await runtime.stop();
  for (const pid of pids) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
});

test('WorkerRuntime.start() fails when its port is taken', async () => {
  const other = createServer().listen(port, '127.0.0.1');
  await once(other, 'listening');
  await assert.rejects(runtime.start(), { code: 'ERR_ADDRESS_IN_USE' });
  other.close();
});

/** The new workerd listens a moment after it was started, and there is no event for that. */
async function answered(): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await ask();
      return;
    } catch (error) {
      if (tries === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
