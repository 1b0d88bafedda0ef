import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { createKeyedCipher } from '../src/services/keyed-cipher.ts';
import { cloudflareWorld } from './dns-provider-worlds.ts';
import { type Answer, type Body, OPERATOR_KEY, TestStack } from './test-stack.ts';

const [FIRST, SECOND] = [randomBytes(32), randomBytes(32)];
const [first, second] = [FIRST.toString('base64'), SECOND.toString('base64')];

let stack: TestStack;
let world: Awaited<ReturnType<typeof cloudflareWorld>>;
before(async () => {
  [stack, world] = await Promise.all([TestStack.start({ ENCRYPTION_KEY: first }), cloudflareWorld()]);
});
after(async () => {
  await stack.stop();
  await world.stop();
});

async function ask(
  base: string,
  method: string,
  path: string,
  call: { token?: string; body?: unknown; key?: string } = {},
): Promise<Answer> {
  const answer = await fetch(base + (path.startsWith('//') ? path.slice(1) : `/api/v1${path}`), {
    method,
    headers: {
      authorization: `Bearer ${call.token ?? OPERATOR_KEY}`,
      ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(call.key === undefined ? {} : { 'idempotency-key': call.key }),
    },
    ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
    signal: AbortSignal.timeout(30_000),
  });
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Body };
}

test('POST /encryption-keys/rotate renews all that is stored, and then the old key can be removed', async () => {
  // Something of everything, under the first key.
  const tenant = await stack.newUser('ada');
  await stack.asOperator('PUT', `/users/${tenant.userId}`, { password: 'correct horse battery' });
  const login = await stack.call('POST', '/auth/login', { body: { login: 'ada', password: 'correct horse battery' } });
  const [from, to] = [await stack.newClient(tenant.token), await stack.newClient(tenant.token)];
  const wish = { source_client_id: from, target_client_id: to, local_port: 2222, target_port: 22 };
  const created = await ask(stack.url, 'POST', '/mappings', { token: tenant.token, body: wish, key: 'once' });
  assert.equal(created.status, 201);
  const hello = { agent_version: 'test', protocol: 1, client_id: to };
  const session = await ask(stack.url, 'POST', '//agent/v1/session', { token: tenant.token, body: hello });
  const agent = session.body['access_token'] as string;
  const configOf = async (base: string) =>
    JSON.stringify((await ask(base, 'GET', '//agent/v1/config', { token: agent })).body);
  const config = await configOf(stack.url);
  assert.match(config, /secret/);
  await world.addZone('rotate.example');
  const { kind: provider, token, endpoint } = world;
  const { body: credential } = await stack.asOperator('POST', '/dns/credentials', {
    name: 'dns',
    provider,
    token,
    endpoint,
  });
  const { credential_id } = credential;
  const { body: zone } = await stack.asOperator('POST', '/dns/zones', { domain: 'rotate.example', credential_id });
  const sealed = (context: string) => createKeyedCipher([FIRST], context).encrypt(Buffer.from('a secret'));
  await stack.database.query('insert into acme_accounts (directory_url, key_encrypted) values ($1, $2)', [
    'https://ca.example/directory',
    await sealed('acme-account'),
  ]);
  const both = [await sealed('certificate-key'), await sealed('certificate-key')];
  await stack.database.query(
    `insert into certificates (names, challenge, chain, key_encrypted, next_key_encrypted) values ('{a.example}', 'dns-01', 'chain', $1, $2)`,
    both,
  );

  assert.equal((await stack.call('POST', '/encryption-keys/rotate', { token: tenant.token })).status, 403);
  const nothing = await stack.asOperator('POST', '/encryption-keys/rotate');
  assert.deepEqual([nothing.status, nothing.body['renewed'], nothing.body['unreadable']], [200, 0, 0]);

  const between = await stack.addControlPlane({ ENCRYPTION_KEY: second, ENCRYPTION_KEYS_OLD: first });
  assert.equal(await configOf(between), config, 'both keys are read');
  const { body: rotated } = await ask(between, 'POST', '/encryption-keys/rotate');
  assert.deepEqual([rotated['complete'], rotated['unreadable']], [true, 0], JSON.stringify(rotated));
  const renewed = Object.fromEntries((rotated['kinds'] as Body[]).map(({ kind, renewed: count }) => [kind, count]));
  for (const kind of [
    'dns_tokens',
    'certificate_keys',
    'certificate_order_keys',
    'acme_account_keys',
    'mapping_secrets',
  ])
    assert.equal(renewed[kind], 1, kind);
  for (const kind of ['signing_keys', 'stored_answers']) assert.ok(renewed[kind] > 0, kind);
  assert.equal((await ask(between, 'POST', '/encryption-keys/rotate')).body['renewed'], 0, 'nothing is left');

  const later = await stack.addControlPlane({ ENCRYPTION_KEY: second });
  assert.equal(await configOf(later), config);
  assert.equal((await ask(later, 'GET', '/me', { token: login.body['access_token'] as string })).status, 200);
  const repeated = await ask(later, 'POST', '/mappings', { token: tenant.token, body: wish, key: 'once' });
  assert.deepEqual([repeated.status, repeated.body['mapping_id']], [201, created.body['mapping_id']]);
  const record = { zone_id: zone['zone_id'], type: 'A', name: 'www', value: '203.0.113.1' };
  assert.equal((await ask(later, 'POST', '/dns/records', { body: record })).status, 201);
  const run = await ask(later, 'POST', `/dns/zones/${zone['zone_id']}/reconcile`);
  assert.equal(run.body['status'], 'done', JSON.stringify(run.body));
  assert.deepEqual(await world.there('rotate.example', 'A', 'www.rotate.example'), ['203.0.113.1 1']);
  const { rows } = await stack.database.query(
    'select key_encrypted as key, next_key_encrypted as next from certificates where chain is not null',
  );
  for (const text of [rows[0].key, rows[0].next]) {
    const plain = await createKeyedCipher([SECOND], 'certificate-key').decrypt(text as string);
    assert.equal(Buffer.from(plain).toString(), 'a secret');
  }

  // A server that was forgotten, with the old key alone, opens nothing, breaks nothing, and says so.
  const forgotten = await stack.asOperator('POST', '/encryption-keys/rotate');
  assert.equal(forgotten.body['renewed'], 0);
  assert.ok(forgotten.body['unreadable'] >= 7, JSON.stringify(forgotten.body));
  const failed = await stack.asOperator('POST', `/dns/zones/${zone['zone_id']}/reconcile`);
  assert.match(failed.body['error'] as string, /ENCRYPTION_KEY/);
  const audit = await stack.asOperator('GET', '/audit?action=encryption_key.rotate');
  assert.equal(audit.body['total'], 4);
});
