import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type RunningStack, startStack } from '@tunnox/testing/stack';

const SCRIPT = fileURLToPath(new URL('../../../scripts/relay.js', import.meta.url));

/** Starts `npm run relay` and resolves with its first line. */
async function addRelay(home: string): Promise<{ child: ChildProcess; line: string }> {
  const child = spawn(process.execPath, [SCRIPT], {
    env: { ...process.env, TUNNOX_HOME: home },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  assert.ok(child.stdout);
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { child, line };
}

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const exited = once(child, 'exit');
  child.kill(signal);
  const [code] = await exited;
  return code as number | null;
}

async function demo(port: string, host: string): Promise<number | undefined> {
  const [answer] = await once(get({ host: '127.0.0.1', port, headers: { host }, agent: false }), 'response');
  await text(answer);
  return answer.statusCode as number | undefined;
}

describe('npm run relay', () => {
  let platform: RunningStack;
  before(async () => {
    platform = await startStack();
  });
  after(() => platform.stop());

  test('adds a relay that serves, goes on Ctrl-C, and comes back as the same node', async () => {
    const host = new URL(platform.stack.demo_url ?? '').host;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      const { child, line } = await addRelay(platform.home);
      const [, nodeId, port = ''] = /^Relay 3 is (node-\d+): HTTP http:\/\/127\.0\.0\.1:(\d+),/.exec(line) ?? [];
      assert.equal(nodeId, 'node-003', line);
      assert.equal(await demo(port, host), 200);
      assert.equal(await stop(child, signal), 0);
    }
  });
});

test('npm run relay says what to do when no platform runs', async () => {
  const child = spawn(process.execPath, [SCRIPT], {
    env: { ...process.env, TUNNOX_HOME: '/nonexistent' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [[code], said] = await Promise.all([once(child, 'exit'), text(child.stderr)]);
  assert.equal(code, 1);
  assert.match(said, /No running platform was found in \/nonexistent[\s\S]*npm start/);
});
