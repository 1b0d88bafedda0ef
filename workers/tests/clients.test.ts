import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { OPERATOR_KEY, TestStack } from './test-stack.ts';

let stack: TestStack;
before(async () => {
  stack = await TestStack.start();
});
after(() => stack.stop());

/** A client with its code, and the session that an agent gets for it. */
async function newAgent(token: string) {
  const { body } = await stack.call('POST', '/clients', { token, body: { client_name: 'agent' } });
  return { clientId: body['client_id'], authCode: body['auth_code'] };
}

function openSession(clientId: number, authCode: string) {
  const body = { client_id: clientId, auth_code: authCode, agent_version: 'test', protocol: 1 };
  return stack.call('POST', '//agent/v1/session', { body });
}

test('POST /clients answers with the code once, and stores its hash', async () => {
  const { userId, token } = await stack.newUser('maker');
  const made = await stack.call('POST', '/clients', { token, body: { client_name: 'laptop', client_desc: 'mine' } });
  assert.equal(made.status, 201);
  const { client_id, auth_code, ...rest } = made.body;
  assert.ok(client_id >= 600_000_000);
  assert.match(auth_code, /^[\w-]{32}$/);
  const { created_at, ...facts } = rest;
  assert.ok(typeof created_at === 'string' && !Number.isNaN(Date.parse(created_at)));
  assert.deepEqual(facts, {
    user_id: userId,
    namespace_id: null,
    client_name: 'laptop',
    client_desc: 'mine',
    client_type: 'managed',
    status: 'offline',
  });
  const read = await stack.call('GET', `/clients/${client_id}`, { token });
  assert.ok(!JSON.stringify(read.body).includes(auth_code));
  const { rows } = await stack.database.query('select auth_code_hash from clients where client_id = $1', [client_id]);
  assert.match(rows[0].auth_code_hash, /^[0-9a-f]{64}$/);
});

test('operators make clients for a user that they name', async () => {
  const { userId } = await stack.newUser('served');
  const made = await stack.asOperator('POST', '/clients', { user_id: userId, client_name: 'x' });
  assert.equal(made.body['user_id'], userId);
  assert.equal((await stack.asOperator('POST', '/clients', { client_name: 'x' })).status, 422);
  assert.equal((await stack.asOperator('POST', '/clients', { user_id: 1, client_name: 'x' })).status, 404);
});

test('clients of another tenant do not exist', async () => {
  const mine = await stack.newUser('mine');
  const theirs = await stack.newUser('theirs');
  const client = await stack.newClient(theirs.token);
  const calls: [string, string, unknown?][] = [
    ['GET', ''],
    ['PUT', '', { enabled: false }],
    ['DELETE', ''],
    ['POST', '/disconnect'],
    ['POST', '/rotate-code'],
  ];
  for (const [method, path, body] of calls) {
    const answer = await stack.call(method, `/clients/${client}${path}`, { token: mine.token, body });
    assert.deepEqual([answer.status, answer.body['code']], [404, 'not_found'], method + path);
  }
  const asThem = { token: mine.token, body: { client_name: 'x', user_id: theirs.userId } };
  assert.equal((await stack.call('POST', '/clients', asThem)).status, 404);
  const list = await stack.call('GET', `/clients?user_id=${theirs.userId}`, { token: mine.token });
  assert.equal(list.body['total'], 0);
  assert.equal((await stack.call('GET', `/clients/${client}`, { token: theirs.token })).status, 200);
});

test('POST /clients under a race gives the last place to exactly one', async () => {
  const { userId, token } = await stack.newUser('racer');
  await stack.asOperator('POST', `/users/${userId}/quota`, { max_clients: 3 });
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, i) => stack.call('POST', '/clients', { token, body: { client_name: `c${i}` } })),
  );
  const refused = answers.filter((answer) => answer.status === 403);
  assert.equal(answers.filter((answer) => answer.status === 201).length, 3);
  assert.equal(refused.length, 9);
  for (const { body } of refused) {
    assert.equal(body['code'], 'quota_exceeded');
    assert.deepEqual([body['limit'], body['current']], [3, 3]);
  }
  const { rows } = await stack.database.query('select count(*)::int from clients where user_id = $1', [userId]);
  assert.equal(rows[0].count, 3);
});

test('lowering a quota keeps what exists and refuses more', async () => {
  const { userId, token } = await stack.newUser('shrunk');
  const client = await stack.newClient(token);
  await stack.newClient(token);
  await stack.asOperator('POST', `/users/${userId}/quota`, { max_clients: 1 });
  assert.equal((await stack.call('GET', `/clients/${client}`, { token })).status, 200);
  const refused = await stack.call('POST', '/clients', { token, body: { client_name: 'x' } });
  assert.deepEqual([refused.body['limit'], refused.body['current']], [1, 2]);
});

test('PUT /clients/{id} renames and disables; a disabled client has no session and its token is refused', async () => {
  const { token } = await stack.newUser('switcher');
  const { clientId, authCode } = await newAgent(token);
  const session = await openSession(clientId, authCode);
  const agent = session.body['access_token'];
  assert.equal((await stack.call('GET', '/me', { token: agent })).body['client_id'], clientId);

  const off = await stack.call('PUT', `/clients/${clientId}`, { token, body: { enabled: false, client_name: 'off' } });
  assert.deepEqual([off.body['status'], off.body['client_name']], ['disabled', 'off']);
  assert.equal((await openSession(clientId, authCode)).body['code'], 'client_disabled');
  assert.equal((await stack.call('GET', '/me', { token: agent })).body['code'], 'client_disabled');

  const on = await stack.call('PUT', `/clients/${clientId}`, { token, body: { enabled: true } });
  assert.equal(on.body['status'], 'offline');
  // The generation has risen: what was handed out before stays void.
  assert.equal((await stack.call('GET', '/me', { token: agent })).status, 401);
  assert.equal((await openSession(clientId, authCode)).status, 200);
  const { rows } = await stack.database.query(
    `select change from outbox where client_ids = array[$1::bigint] order by id`,
    [clientId],
  );
  assert.deepEqual(
    rows.map((row) => row.change),
    ['disabled', 'enabled'],
  );
});

test('POST /clients/{id}/rotate-code voids the old code and its tokens', async () => {
  const { token } = await stack.newUser('rotator');
  const { clientId, authCode } = await newAgent(token);
  const agent = (await openSession(clientId, authCode)).body['access_token'];
  const rotated = await stack.call('POST', `/clients/${clientId}/rotate-code`, { token });
  assert.equal(rotated.status, 200);
  assert.equal((await openSession(clientId, authCode)).status, 401);
  assert.equal((await stack.call('GET', '/me', { token: agent })).status, 401);
  assert.equal((await openSession(clientId, rotated.body['auth_code'])).status, 200);
});

test('POST /clients/{id}/disconnect leaves a message for its relay', async () => {
  const { token } = await stack.newUser('closer');
  const client = await stack.newClient(token);
  assert.equal((await stack.call('POST', `/clients/${client}/disconnect`, { token })).status, 204);
  const { rows } = await stack.database.query('select kind, change from outbox where client_ids = array[$1::bigint]', [
    client,
  ]);
  assert.deepEqual(rows, [{ kind: 'client_changed', change: 'disconnected' }]);
});

test('DELETE /clients/{id} ends what only it serves and keeps what others serve', async () => {
  const { token } = await stack.newUser('deleter');
  const [gone, kept] = [await stack.newClient(token), await stack.newClient(token)];
  const domain = (subdomain: string, client_id: number) =>
    stack.call('POST', '/domains', { token, body: { subdomain, client_id, target_port: 80 } });
  const alone = await domain('only-gone', gone);
  const shared = await domain('shared', gone);
  await stack.database.query('insert into endpoint_upstreams (domain_id, client_id) values ($1, $2)', [
    shared.body['domain_id'],
    kept,
  ]);
  const mapping = { source_client_id: gone, target_client_id: kept, target_port: 22, local_port: 2222 };
  const visited = await stack.call('POST', '/mappings', { token, body: mapping });
  assert.equal(visited.status, 201);
  const earlier = await stack.call('GET', `/clients/${kept}`, { token });

  assert.equal((await stack.call('DELETE', `/clients/${gone}`, { token })).status, 204);
  assert.equal((await stack.call('GET', `/clients/${gone}`, { token })).status, 404);
  assert.equal((await stack.call('GET', `/domains/${alone.body['domain_id']}`, { token })).status, 404);
  assert.equal((await stack.call('GET', `/mappings/${visited.body['mapping_id']}`, { token })).status, 404);
  const still = await stack.call('GET', `/domains/${shared.body['domain_id']}`, { token });
  assert.equal(still.body['client_id'], kept);
  assert.ok(still.body['version'] > shared.body['version']);
  const later = await stack.call('GET', `/clients/${kept}`, { token });
  assert.ok(later.body['config_version'] > earlier.body['config_version']);
});

test("an agent's own credential reads its client and manages no clients", async () => {
  const { token, userId } = await stack.newUser('owner');
  const { clientId, authCode } = await newAgent(token);
  const sibling = await stack.newClient(token);
  const agent = (await openSession(clientId, authCode)).body['access_token'];
  const me = await stack.call('GET', '/me', { token: agent });
  assert.deepEqual([me.body['role'], me.body['client_id'], me.body['user']['user_id']], ['client', clientId, userId]);
  assert.equal((await stack.call('GET', `/clients/${clientId}`, { token: agent })).status, 200);
  assert.equal((await stack.call('GET', `/clients/${sibling}`, { token: agent })).status, 404);
  assert.equal((await stack.call('GET', '/clients', { token: agent })).body['total'], 1);
  const calls: [string, string, unknown?][] = [
    ['POST', '/clients', { client_name: 'x' }],
    ['DELETE', `/clients/${clientId}`],
    ['POST', `/clients/${clientId}/rotate-code`],
    ['GET', `/users/${userId}`],
    ['POST', `/users/${userId}/api-keys`, {}],
  ];
  for (const [method, path, body] of calls) {
    assert.equal((await stack.call(method, path, { token: agent, body })).body['code'], 'forbidden', method + path);
  }
});

test('Idempotency-Key gives a repeat the first answer, and refuses another request', async () => {
  const { userId, token } = await stack.newUser('repeater');
  const other = await stack.newUser('repeater-2');
  const post = (key: string, name: string, bearer = token) =>
    stack.call('POST', '/clients', { token: bearer, body: { client_name: name }, headers: { 'idempotency-key': key } });
  const first = await post('k1', 'a');
  const again = await post('k1', 'a');
  assert.deepEqual(again.body, first.body);
  assert.equal(again.status, 201);
  assert.equal(again.headers.get('idempotency-replayed'), 'true');
  assert.equal((await post('k1', 'b')).body['code'], 'conflict');
  assert.notEqual((await post('k1', 'a', other.token)).body['client_id'], first.body['client_id']);

  const raced = await Promise.all(Array.from({ length: 6 }, () => post('k2', 'raced')));
  const made = raced.filter((answer) => answer.status === 201);
  assert.ok(made.length >= 1);
  assert.equal(new Set(made.map((answer) => answer.body['client_id'])).size, 1);
  for (const { status, headers } of raced.filter((answer) => answer.status !== 201)) {
    assert.deepEqual([status, headers.get('retry-after')], [503, '1']);
  }
  const { rows } = await stack.database.query('select count(*)::int from clients where user_id = $1', [userId]);
  assert.equal(rows[0].count, 2);
  const stored = await stack.database.query('select body_encrypted from idempotency_keys');
  assert.ok(stored.rows.every((row) => row.body_encrypted === null || row.body_encrypted.startsWith('v1.')));
  assert.equal((await post('x'.repeat(256), 'c')).status, 400);
});

test('operators list everybody, by user and by type', async () => {
  const { userId, token } = await stack.newUser('listed');
  await stack.newClient(token);
  const anonymous = await stack.newAnonymous();
  const listed = await stack.asOperator('GET', `/users/${userId}/clients`);
  assert.equal(listed.body['total'], 1);
  const all = await stack.call('GET', '/clients?type=anonymous&limit=100', { token: OPERATOR_KEY });
  assert.ok(all.body['clients'].some((client: { client_id: number }) => client.client_id === anonymous.clientId));
  assert.ok(all.body['clients'].every((client: { client_type: string }) => client.client_type === 'anonymous'));
});
