import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import { ApiCaller } from '@tunnox/api-client/api-caller';
import { ManagementApi } from '@tunnox/api-client/management-api';
import { type ControlPlaneFixture, startControlPlane } from '@tunnox/testing/control-plane-fixture';
import { CredentialFile } from '../src/credentials/credential-file.ts';
import { command, configDir, type PrintedEvent } from './run-command.ts';

let plane: ControlPlaneFixture;
let operator: ManagementApi;

before(async () => {
  plane = await startControlPlane();
  const caller = new ApiCaller({}, { server: plane.apiUrl, userAgent: 'test' });
  operator = new ManagementApi(caller, plane.operatorKey);
});
after(() => plane.stop());

/** A new user, and commands with its key. */
async function login(t: TestContext, username: string) {
  const { user_id } = await operator.users.create({ username, email: `${username}@customer.example`, plan: 'pro' });
  const { api_key } = await operator.apiKeys.create(user_id, {});
  const env = { TUNNOX_SERVER: plane.apiUrl, TUNNOX_API_KEY: api_key, TUNNOX_CONFIG_DIR: await configDir(t) };
  return {
    userId: user_id,
    env,
    /** The one event of a command with `--json`. */
    async json(...args: string[]): Promise<PrintedEvent> {
      const running = command(t, [...args, '--json'], env);
      const event = await running.events.next(() => true);
      await running.exit;
      return event;
    },
    /** What a person sees. */
    async text(...args: string[]): Promise<{ code: number; out: string; error: string }> {
      const running = command(t, args, env);
      const code = await running.exit;
      return { code, out: await running.stdout, error: await running.stderr };
    },
  };
}

test('tunnox clients makes, lists, shows, switches and deletes clients', async (t) => {
  const { json, text } = await login(t, 'clients');
  assert.match((await text('clients')).out, /^No clients: `tunnox clients create <name>` makes one\.\n$/);
  const made = await json('clients', 'create', 'laptop', '--description', 'mine');
  const client = made['client'] as { client_id: number; auth_code: string };
  assert.deepEqual([made['command'], typeof client.auth_code], ['clients create', 'string']);
  const id = String(client.client_id);
  const lines = (await text('clients')).out.trimEnd().split('\n');
  // Numbers and their head stand to the right.
  assert.deepEqual(lines[0]?.trim().split(/ {2,}/), ['ID', 'NAME', 'STATUS', 'RELAY', 'TYPE', 'SEEN']);
  assert.deepEqual(lines[1]?.split(/ {2,}/), [id, 'laptop', 'offline', '–', 'managed', 'never']);
  assert.equal((await text('clients', 'disable', id)).out, `Client ${id} is disabled\n`);
  assert.equal((await text('clients', 'enable', id)).out, `Client ${id} is offline\n`);
  const rotated = await json('clients', 'rotate-code', id);
  assert.notEqual(rotated['auth_code'], client.auth_code);
  assert.match(
    (await text('clients', 'show', id)).out,
    /^Client {8}\d+ laptop\nDescription {3}mine\nStatus {8}offline\n/,
  );
  assert.equal((await text('clients', 'disconnect', id)).code, 0);
  assert.equal((await text('clients', 'delete', id)).out, `Client ${id} is deleted\n`);
  const gone = await text('clients', 'show', id);
  assert.deepEqual([gone.code, gone.error], [1, `error: There is no client ${id}\n`]);
});

test('tunnox clients claim takes the code from this machine, or is told where it is', async (t) => {
  const { json, text, env } = await login(t, 'claimer');
  const opened = await fetch(`${plane.apiUrl}/agent/v1/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ agent_version: 'test', protocol: 1 }),
  });
  const { client_id: id, auth_code } = (await opened.json()) as { client_id: number; auth_code: string };
  const unknown = await text('clients', 'claim', String(id));
  assert.equal(unknown.code, 2);
  assert.match(unknown.error, /give it by --code/);
  await new CredentialFile(env.TUNNOX_CONFIG_DIR).update((credentials) => {
    credentials.clients.push({ server: plane.apiUrl, owner: 'anonymous', client_id: id, auth_code });
  });
  const claimed = await json('clients', 'claim', String(id), '--name', 'mine');
  assert.equal(typeof claimed['new_client_id'], 'number');
  const again = await json('clients', 'claim', String(id), '--code', auth_code);
  assert.deepEqual([again['event'], again['code']], ['error', 'client_claimed']);
});

test('tunnox mappings and domains make what the server then has', async (t) => {
  const { json, text } = await login(t, 'bindings');
  const [source, target] = [await json('clients', 'create', 'source'), await json('clients', 'create', 'target')].map(
    (made) => String((made['client'] as { client_id: number }).client_id),
  ) as [string, string];
  const made = await text(
    ...['mappings', 'create', '10.0.0.5:5432', '--to', target, '--from', source, '--local', '15432'],
  );
  assert.match(made.out, /^Mapping \d+: client \d+, port 15432 → 10\.0\.0\.5:5432 behind \d+ \(inactive\)\n/);
  assert.match(made.out, /Client \d+ is offline: it takes this when its agent connects/);
  const id = /^Mapping (\d+)/.exec(made.out)?.[1] ?? '';
  const off = await json('mappings', 'disable', id);
  assert.equal((off['mapping'] as { status: string }).status, 'disabled');
  const listed = await json('mappings', 'list', '--of', source);
  assert.equal((listed['mappings'] as unknown[]).length, 1);
  assert.equal((await text('mappings', 'delete', id)).out, `Mapping ${id} is deleted\n`);

  const domain = await text('domains', 'create', '3000', '--to', target, '--subdomain', 'cli-shop');
  assert.match(domain.out, /^Name {10}cli-shop\.tunnox\.localhost \(id \d+\)\nAddress {7}https:/);
  assert.match((await text('domains', 'check', 'cli-shop')).out, /cli-shop\.tunnox\.localhost is yours/);
  assert.match((await text('domains', 'check', 'cli-free')).out, /cli-free\.tunnox\.localhost is free/);
  assert.match((await text('domains', 'disable', 'cli-shop')).out, /^cli-shop\.tunnox\.localhost is disabled/);
  assert.equal((await text('domains', 'delete', 'cli-shop')).out, 'cli-shop.tunnox.localhost is given up\n');
  const unknown = await json('domains', 'show', 'cli-shop');
  assert.deepEqual([unknown['event'], unknown['code']], ['error', 'not_found']);
});

test('tunnox domains shows the records that prove a domain of one’s own', async (t) => {
  const { json, text } = await login(t, 'custom');
  const target = String(((await json('clients', 'create', 'web'))['client'] as { client_id: number }).client_id);
  const { out } = await text('domains', 'create', '80', '--to', target, '--domain', 'shop.customer.example');
  assert.match(out, /Status {8}pending_verification/);
  assert.match(out, /TXT {3}_tunnox\.shop\.customer\.example {2}\S+/);
});

test('tunnox keys makes keys that are shown once, and revokes them', async (t) => {
  const { json, text } = await login(t, 'keys');
  const made = await json('keys', 'create', 'ci', '--scope', 'clients:read,mappings:read');
  const key = made['api_key'] as { key_id: number; api_key: string; scopes: string[] };
  assert.deepEqual(key.scopes, ['clients:read', 'mappings:read']);
  assert.match((await text('keys')).out, /ci {2,}tnx_live_\S+… {2,}clients:read mappings:read {2,}never/);
  assert.equal((await text('keys', 'revoke', String(key.key_id))).code, 0);
  assert.ok(!(await text('keys')).out.includes('clients:read'));
});

test('tunnox usage shows limits with what is used of them', async (t) => {
  const { text, json } = await login(t, 'usage');
  await json('clients', 'create', 'one');
  const { out } = await text('usage');
  assert.match(out, /^Clients {2,}1 {2,}10 {2,}10 %$/m);
  assert.match(out, /^Traffic this month {2,}0 B {2,}500 GiB {2,}0 %$/m);
  assert.equal((await json('usage'))['max_clients'], 10);
});

test('tunnox nodes is for operators', async (t) => {
  const { text, env } = await login(t, 'nodes');
  const refused = await text('nodes');
  assert.deepEqual([refused.code, refused.error], [1, 'error: Only operators may do this\n']);
  const running = command(t, ['nodes', '--api-key', plane.operatorKey], env);
  assert.equal(await running.exit, 0);
  assert.equal(await running.stdout, 'No relay has registered yet.\n');
});

test('a command without a login says how to log in', async (t) => {
  const env = { TUNNOX_SERVER: plane.apiUrl, TUNNOX_CONFIG_DIR: await configDir(t) };
  const running = command(t, ['clients'], env);
  assert.equal(await running.exit, 3);
  assert.match(await running.stderr, /Nobody is logged in at http.*: run `tunnox login` first/);
});

test('tunnox login --user makes an API key that tunnox logout revokes', async (t) => {
  const password = 'correct horse battery staple';
  const { user_id } = await operator.users.create({ username: 'by-password', email: 'p@customer.example', password });
  const env = { TUNNOX_SERVER: plane.apiUrl, TUNNOX_CONFIG_DIR: await configDir(t) };
  const wrong = command(t, ['login', '--user', 'by-password'], env, 'wrong password\n');
  assert.equal(await wrong.exit, 3);
  const done = command(t, ['login', '--user', 'by-password'], env, `${password}\n`);
  assert.equal(await done.exit, 0, await done.stderr);
  assert.equal(await done.stdout, `Logged in at ${plane.apiUrl} as by-password\n`);
  assert.equal((await operator.apiKeys.list(user_id)).length, 1);
  assert.equal(await command(t, ['clients'], env).exit, 0);
  const out = command(t, ['logout'], env);
  assert.equal(await out.stdout, `Logged out at ${plane.apiUrl}\n`);
  assert.equal((await operator.apiKeys.list(user_id)).length, 0);
  assert.equal(await command(t, ['clients'], env).exit, 3);
});
