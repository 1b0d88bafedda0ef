import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { needs } from '@tunnox/testing/needs';
import { freePortBlock } from '@tunnox/testing/port-block';
import { type RunningStack, startStack } from '@tunnox/testing/stack';
import { waitFor } from '@tunnox/testing/wait-for';
import { isPortFree } from '../src/check-ports.ts';
import { describeProcess } from '../src/process-table.ts';
import type { Stack } from '../src/stack-file.ts';
import { listeningPorts, planPorts } from '../src/port-plan.ts';
import { run } from './support/lines.ts';

const GONE_MS = 20_000;

/** Every pid that stack.json names. */
function pidsOf(stack: Stack): number[] {
  return [...Object.values(stack.pids), ...stack.relays.map(({ pid }) => pid)];
}

async function assertNothingLeft(stack: Stack, home: string, portBase: number): Promise<void> {
  await waitFor(
    async () => (await Promise.all(pidsOf(stack).map(describeProcess))).every((found) => found === null),
    GONE_MS,
  );
  for (const [port, use] of listeningPorts(planPorts(portBase, 2), true)) {
    assert.ok(await isPortFree(port), `port ${port} (${use}) is still taken`);
  }
  await assert.rejects(stat(join(home, 'stack.json')), { code: 'ENOENT' });
}

describe('npm start', { skip: needs('curl') }, () => {
  let home: string;
  let portBase: number;
  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'tunnox-start-'));
    portBase = await freePortBlock(100);
  });
  after(() => rm(home, { recursive: true, force: true }));
  const start = (env: Record<string, string> = {}) => startStack({ home, portBase, env });

  /** Status and body of the demo through one address, as curl gets it. */
  async function curlDemo(platform: RunningStack, scheme: string, address: string): Promise<string> {
    const url = new URL(platform.stack.demo_url ?? '');
    const port = address.split(':')[1];
    const args = ['-sS', '--noproxy', '*', '--max-time', '20', '--cacert', platform.stack.ca_file];
    args.push(
      '--resolve',
      `${url.hostname}:${port}:127.0.0.1`,
      '-w',
      '\n%{http_code}',
      `${scheme}://${url.hostname}:${port}/`,
    );
    const { stdout, stderr } = await run('curl', args);
    assert.equal(stderr, '');
    return stdout;
  }

  test('answers for the demo through HTTP and HTTPS of both relays, keeps its secrets, and leaves nothing after Ctrl-C', async () => {
    const platform = await start();
    const { stack } = platform;
    assert.equal(stack.api_url, `http://127.0.0.1:${portBase}`);
    assert.deepEqual(
      stack.relays.map(({ http, https, public_ports }) => [http, https, public_ports]),
      [
        [`127.0.0.1:${portBase + 12}`, `127.0.0.1:${portBase + 13}`, `${portBase + 20}-${portBase + 39}`],
        [`127.0.0.1:${portBase + 42}`, `127.0.0.1:${portBase + 43}`, `${portBase + 50}-${portBase + 69}`],
      ],
    );
    const keys = ['api_url', 'base_domain', 'ca_file', 'demo_url', 'operator_key', 'pids', 'postgres_url', 'relays'];
    assert.deepEqual(Object.keys(stack).toSorted(), keys);
    const parts = ['control_plane', 'demo_agent', 'postgres', 'supervisor', 'workerd'];
    assert.deepEqual(Object.keys(stack.pids).toSorted(), parts);
    for (const relay of stack.relays) {
      assert.match(await curlDemo(platform, 'http', relay.http), /It works[^]*\n200$/);
      assert.match(await curlDemo(platform, 'https', relay.https), /It works[^]*\n200$/);
    }
    for (const name of ['stack.json', 'secrets.json', 'accounts.json', 'run.json', 'control-plane.json']) {
      assert.equal((await stat(join(home, name))).mode & 0o077, 0, name);
    }
    assert.ok(platform.output.some((line) => line.includes(String(stack.demo_url))));
    assert.equal(await platform.stop(), 0);
    await assertNothingLeft(stack, home, portBase);
  });

  test('has its users, names and node ids again at the second start, which is quick', async () => {
    const first = await start();
    const before = { ...first.stack, accounts: await readFile(join(home, 'accounts.json'), 'utf8') };
    await first.stop();
    const began = performance.now();
    const second = await start();
    try {
      assert.ok(performance.now() - began < 20_000);
      const { stack } = second;
      assert.deepEqual(
        [stack.operator_key, stack.demo_url, stack.relays.map(({ node_id }) => node_id)],
        [before.operator_key, before.demo_url, before.relays.map(({ node_id }) => node_id)],
      );
      assert.equal(await readFile(join(home, 'accounts.json'), 'utf8'), before.accounts);
      const answer = await fetch(`${stack.api_url}/api/v1/users`, {
        headers: { authorization: `Bearer ${stack.operator_key}` },
      });
      const { users } = (await answer.json()) as { users: { username: string }[] };
      assert.deepEqual(users.map(({ username }) => username).toSorted(), ['demo', 'local']);
    } finally {
      await second.stop();
    }
  });

  test('says so when it runs already on the folder', async () => {
    const platform = await start();
    try {
      await assert.rejects(start(), /runs already on .*\(process \d+\)/);
      assert.match(await curlDemo(platform, 'http', platform.stack.relays[0]?.http ?? ''), /200$/);
    } finally {
      await platform.stop();
    }
  });

  for (const victim of ['the starter', 'the supervisor', 'everything at once'] as const) {
    test(`starts again after kill -9 of ${victim}, and nothing of the first one is left`, async () => {
      const first = await start();
      const left = structuredClone(first.stack);
      const starter = first.starter.pid ?? 0;
      const supervisor = left.pids['supervisor'] ?? 0;
      const exited = once(first.starter, 'exit');
      if (victim === 'everything at once') for (const pid of pidsOf(left)) process.kill(pid, 'SIGKILL');
      process.kill(victim === 'the supervisor' ? supervisor : starter, 'SIGKILL');
      await exited;
      const second = await start();
      try {
        for (const pid of pidsOf(left)) {
          const found = await describeProcess(pid);
          assert.ok(found === null || pidsOf(second.stack).includes(pid), `left: ${found?.command}`);
        }
        assert.match(await curlDemo(second, 'http', second.stack.relays[1]?.http ?? ''), /200$/);
      } finally {
        await second.stop();
      }
      await assertNothingLeft(second.stack, home, portBase);
    });
  }

  test('starts a killed relay, control plane and workerd again by itself', async () => {
    const platform = await start();
    try {
      const { node_id, pid } = platform.stack.relays[0] ?? { node_id: '', pid: 0 };
      process.kill(pid, 'SIGKILL');
      const back = await platform.startRelay(node_id);
      assert.notEqual(back.pid, pid);
      const { control_plane, workerd } = platform.stack.pids;
      process.kill(control_plane ?? 0, 'SIGKILL');
      await waitFor(async () => {
        const { pids } = await platform.reload();
        return pids['control_plane'] !== control_plane && pids['workerd'] !== workerd;
      }, 30_000);
      assert.match(await curlDemo(platform, 'http', platform.stack.relays[0]?.http ?? ''), /200$/);
    } finally {
      await platform.stop();
    }
  });

  test('names a taken port and what to do', async () => {
    const server = createServer().listen(portBase + 12, '127.0.0.1');
    await once(server, 'listening');
    const message = new RegExp(`Port ${portBase + 12} \\(HTTP at relay 1\\) is taken[^]*TUNNOX_PORT_BASE`);
    await assert.rejects(start(), message);
    server.close();
  });

  test('runs beside another platform', async () => {
    const [one, two] = await Promise.all([start({ TUNNOX_DEMO: 'off' }), startStack({ env: { TUNNOX_DEMO: 'off' } })]);
    try {
      assert.notEqual(one.stack.api_url, two.stack.api_url);
      for (const { stack } of [one, two]) {
        assert.equal(stack.demo_url, null);
        assert.equal((await fetch(`${stack.api_url}/healthz`)).status, 200);
      }
      assert.equal(JSON.parse(await readFile(join(home, 'stack.json'), 'utf8')).api_url, one.stack.api_url);
    } finally {
      await Promise.all([one.stop(), two.stop()]);
    }
  });
});
