import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { FakeServer } from './fake-server.ts';
import { command, configDir, type RunningCommand } from './run-command.ts';

const OLD = 200_000_001;
const NEW = 600_000_009;

interface SavedFile {
  clients: { client_id: number; auth_code: string; owner: string; was?: number }[];
  unnamed_domains: Record<string, number>;
}

async function setUp(t: TestContext) {
  const server = await FakeServer.start(t);
  const dir = await configDir(t);
  const env = { TUNNOX_SERVER: server.url, TUNNOX_CONFIG_DIR: dir };
  const path = join(dir, 'credentials.json');
  const run = (args: string[], more: Record<string, string> = {}): RunningCommand =>
    command(t, [...args, '--json', '--insecure', '--transport', 'tls'], { ...env, ...more });
  const saved = async () => JSON.parse(await readFile(path, 'utf8')) as SavedFile;
  /** The next session answer is that of what the client has become. */
  const claim = (newCode: string | null = 'new'): void => {
    server.plane.clientId = NEW;
    server.plane.newCode = newCode;
    for (const domain of server.domains) domain.client_id = NEW;
  };
  server.plane.clientId = OLD;
  server.plane.newCode = 'old';
  return { server, dir, path, run, saved, claim };
}

/** What each session call has shown. */
function shown({ plane }: FakeServer): unknown[] {
  return plane.sessions.all.map(({ request }) => [request.client_id, request.auth_code]);
}

test('tunnox http goes on as what its client has become, says so once, and keeps identity and name', async (t) => {
  const { server, run, saved, claim } = await setUp(t);
  const running = run(['http', '3000']);
  const ready = await running.event('ready');
  claim();
  (await server.relay.sessions.next()).send({ type: 'claimed', message: 'yours' });
  const claimed = await running.event('claimed');
  assert.deepEqual([claimed['client_id'], claimed['previous_client_id']], [NEW, OLD]);
  assert.match(String(claimed['message']), /belongs to an account now/);
  assert.equal((await running.event('connected'))['client_id'], NEW);
  const { clients, unnamed_domains } = await saved();
  assert.deepEqual(
    clients.map(({ client_id, auth_code }) => [client_id, auth_code]),
    [[NEW, 'new']],
  );
  assert.deepEqual(unnamed_domains, { [`${server.url} ${NEW}`]: 17 });
  running.stop();
  assert.equal(await running.exit, 0);
  assert.ok(!(await running.stdout).includes('tunnel_gone'));

  // The same name again, although nothing names it.
  const again = run(['http', '3000']);
  assert.equal((await again.event('ready'))['url'], ready['url']);
  assert.deepEqual(shown(server).at(-1), [NEW, 'new']);
  assert.equal(server.domains.length, 1);
});

test('tunnox http says it in one line to a person', async (t) => {
  const { server, dir, claim } = await setUp(t);
  const running = command(t, ['http', '3000', '--insecure', '--transport', 'tls'], {
    TUNNOX_SERVER: server.url,
    TUNNOX_CONFIG_DIR: dir,
  });
  const session = await server.relay.sessions.next();
  await session.messages.next((message) => message.type === 'config_applied' && message.version === 2);
  claim();
  session.send({ type: 'claimed', message: 'yours' });
  const next = await server.relay.sessions.next();
  await next.messages.next((message) => message.type === 'config_applied');
  running.stop();
  await running.exit;
  const lines = (await running.stdout).split('\n').filter((line) => line.includes('claimed'));
  assert.deepEqual(lines.length, 1);
  assert.match(lines[0] ?? '', new RegExp(`client ${OLD} belongs to an account now, as client ${NEW}`));
});

test('tunnox http that was away takes the new identity when it starts next', async (t) => {
  const { run, saved, claim } = await setUp(t);
  const first = run(['http', '3000']);
  const ready = await first.event('ready');
  first.stop();
  await first.exit;
  claim();
  const second = run(['http', '3000']);
  assert.equal((await second.event('claimed'))['client_id'], NEW);
  assert.equal((await second.event('ready'))['url'], ready['url']);
  assert.deepEqual(
    (await saved()).clients.map(({ client_id, auth_code }) => [client_id, auth_code]),
    [[NEW, 'new']],
  );
});

test('a command that dies between the answer and the save finds its identity again by the old code', async (t) => {
  const { server, run, saved, path, claim } = await setUp(t);
  const first = run(['http', '3000']);
  await first.event('ready');
  first.stop();
  await first.exit;
  const before = await readFile(path, 'utf8');
  claim();
  const second = run(['http', '3000']);
  await second.event('claimed');
  second.stop();
  await second.exit;
  // As if the answer had come and nothing was written.
  await writeFile(path, before);
  claim();
  const third = run(['http', '3000']);
  assert.equal((await third.event('claimed'))['client_id'], NEW);
  await third.event('ready');
  assert.deepEqual(
    (await saved()).clients.map(({ client_id, auth_code }) => [client_id, auth_code]),
    [[NEW, 'new']],
  );
  assert.ok(shown(server).filter((pair) => String(pair) === `${OLD},old`).length >= 2);
});

test('a claimed client is never replaced by an anonymous one: its code is asked for', async (t) => {
  const { server, run, saved, claim } = await setUp(t);
  const first = run(['http', '3000']);
  await first.event('ready');
  claim();
  (await server.relay.sessions.next()).send({ type: 'claimed', message: 'yours' });
  await first.event('claimed');
  await first.event('connected');
  await server.plane.sessions.next(({ request }) => request.auth_code === 'new');
  // Its owner rotates the code.
  server.plane.problems.push({ status: 401, code: 'unauthenticated' });
  const session = await server.relay.sessions.next();
  session.send({ type: 'refused', code: 'stale_ticket', message: 'rotated' });
  assert.equal((await first.event('error'))['code'], 'unauthenticated');
  assert.equal(await first.exit, 3);
  const asked = server.plane.sessions.all.length;

  const second = run(['http', '3000']);
  const error = await second.event('error');
  assert.equal(error['code'], 'client_code_needed');
  assert.match(String(error['message']), new RegExp(`--client ${NEW}`));
  assert.equal(await second.exit, 3);
  assert.equal(server.plane.sessions.all.length, asked);

  const third = run(['http', '3000', '--client', String(NEW)], { TUNNOX_AUTH_CODE: 'newest' });
  await third.event('ready');
  assert.deepEqual(shown(server).at(-1), [NEW, 'newest']);
  assert.deepEqual(
    (await saved()).clients.map(({ client_id, auth_code }) => [client_id, auth_code]),
    [[NEW, 'newest']],
  );
  third.stop();
  await third.exit;
  const fourth = run(['http', '3000']);
  await fourth.event('ready');
  assert.deepEqual(shown(server).at(-1), [NEW, 'newest']);
});

test('a command whose new code was given to somebody else ends, and says what is needed', async (t) => {
  const { server, run, saved } = await setUp(t);
  const first = run(['http', '3000']);
  await first.event('ready');
  first.stop();
  await first.exit;
  server.plane.problems.push({ status: 403, code: 'client_claimed', members: { new_client_id: NEW } });
  const second = run(['http', '3000']);
  assert.equal((await second.event('error'))['code'], 'client_claimed');
  assert.equal(await second.exit, 3);
  assert.deepEqual(
    (await saved()).clients.map(({ client_id, auth_code }) => [client_id, auth_code]),
    [[NEW, '']],
  );
  const third = run(['http', '3000']);
  assert.equal((await third.event('error'))['code'], 'client_code_needed');
});

test('tunnox run with the old id in its file goes on as the new client, also the next time', async (t) => {
  const { server, dir, run, saved, claim } = await setUp(t);
  const file = join(dir, 'tunnox.yaml');
  await writeFile(file, `server: ${server.url}\nclient_id: ${OLD}\nauth_code: old\n`);
  claim();
  const first = run(['run', '-c', file]);
  assert.equal((await first.event('claimed'))['client_id'], NEW);
  assert.equal((await first.event('problem'))['code'], 'client_claimed');
  await first.event('ready');
  first.stop();
  await first.exit;
  assert.deepEqual((await saved()).clients, [
    { server: server.url, owner: 'claimed', client_id: NEW, auth_code: 'new', was: OLD },
  ]);
  const second = run(['run', '-c', file]);
  assert.equal((await second.event('problem'))['code'], 'client_claimed');
  await second.event('ready');
  assert.deepEqual(shown(server).at(-1), [NEW, 'new']);
});

test('tunnox http ends at once when its client is switched off, and waits once it has been up', async (t) => {
  const { server, run } = await setUp(t);
  server.plane.problems.push({ status: 403, code: 'client_disabled' });
  const first = run(['http', '3000']);
  assert.equal((await first.event('error'))['code'], 'client_disabled');
  assert.equal(await first.exit, 1);
  const second = run(['http', '3000']);
  await second.event('ready');
  server.plane.problems.push({ status: 403, code: 'client_disabled' });
  (await server.relay.sessions.next()).send({ type: 'disabled', message: 'The client is suspended by an operator: x' });
  assert.equal((await second.event('reconnecting'))['message'], 'The client is suspended by an operator: x');
  assert.equal((await second.event('reconnecting'))['code'], 'client_disabled');
  second.stop();
  assert.equal(await second.exit, 0);
});
