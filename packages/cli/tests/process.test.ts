import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { EventQueue } from '@tunnox/testing/event-queue';
import { API_KEY, FakeServer } from './fake-server.ts';
import { configDir } from './run-command.ts';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

/** `tunnox` as a process of its own. */
function start(t: TestContext, args: string[], env: Record<string, string>) {
  const child = spawn(process.execPath, [MAIN, ...args], { env: { ...env, PATH: process.env['PATH'] }, stdio: 'pipe' });
  t.after(() => void child.kill('SIGKILL'));
  const lines = new EventQueue<string>();
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  return { child, lines, exited: once(child, 'exit') as Promise<[number | null, string | null]> };
}

async function setUp(t: TestContext) {
  const server = await FakeServer.start(t);
  const env = { TUNNOX_SERVER: server.url, TUNNOX_CONFIG_DIR: await configDir(t), TUNNOX_API_KEY: API_KEY };
  return { server, env };
}

const HTTP = ['http', '3000', '--json', '--insecure'];
const isReady = (line: string): boolean => line.includes('"event":"ready"');

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`tunnox says goodbye and ends with 0 on ${signal}`, async (t) => {
    const { server, env } = await setUp(t);
    const { child, lines, exited } = start(t, HTTP, env);
    await lines.next(isReady);
    const session = await server.relay.sessions.next();
    child.kill(signal);
    await session.messages.next((message) => message.type === 'bye');
    assert.deepEqual(await exited, [0, null]);
    assert.equal(lines.all.at(-1), '{"event":"closed"}');
  });
}

test('tunnox that was killed leaves its client to the next process', async (t) => {
  const { server, env } = await setUp(t);
  server.plane.newCode = 'code';
  const killed = start(t, HTTP, env);
  await killed.lines.next(isReady);
  killed.child.kill('SIGKILL');
  await killed.exited;
  const next = start(t, HTTP, env);
  await next.lines.next(isReady);
  const asked = server.plane.sessions.all.map(({ request }) => [request.client_id, request.auth_code]);
  assert.deepEqual(asked, [
    [undefined, undefined],
    [600_000_001, 'code'],
  ]);
});

test('tunnox ends when nobody reads what it prints', async (t) => {
  const { server, env } = await setUp(t);
  const { child, lines, exited } = start(t, HTTP, env);
  await lines.next(isReady);
  child.stdout.destroy();
  (await server.relay.sessions.next()).destroy();
  assert.deepEqual(await exited, [0, null]);
});

test('tunnox version prints the version and nothing else', async (t) => {
  const { child, lines, exited } = start(t, ['version'], {});
  assert.deepEqual(await exited, [0, null]);
  assert.match(await lines.next(), /^\d+\.\d+\.\d+$/);
  assert.equal(child.stderr.read(), null);
});
