import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Answer, TestStack } from './test-stack.ts';

let stack: TestStack;
before(async () => {
  stack = await TestStack.start();
  await stack.addNode('node-001', 20_000, 20_009);
  await stack.addNode('node-002', 20_010, 20_019);
  await stack.addNode('node-003', 30_000, 30_001, 'small');
});
after(() => stack.stop());

/** A tenant with two clients. */
async function newTenant(name: string) {
  const { userId, token } = await stack.newUser(name);
  const [target, source] = [await stack.newClient(token), await stack.newClient(token)];
  const create = (wish: object): Promise<Answer> => stack.call('POST', '/mappings', { token, body: wish });
  return { userId, token, target, source, create };
}

/** The session of an agent, by the tenant's API key. */
async function newSession(token: string, client_id: number) {
  const { body } = await stack.call('POST', '//agent/v1/session', {
    token,
    body: { client_id, agent_version: 't', protocol: 1 },
  });
  return body as { access_token: string; config: { version: number; bindings: Record<string, unknown>[] } };
}

test('POST /mappings gives a chosen public port, and tells where it is reached', async () => {
  const { token, target, userId, create } = await newTenant('port-chooser');
  const { status, body } = await create({ target_client_id: target, target_port: 22, remote_port: 20_012 });
  assert.equal(status, 201);
  assert.ok(body['mapping_id'] >= 1001);
  const { user_id, protocol, source_client_id, relay_group, remote_port, target_host, status: state } = body;
  assert.deepEqual(
    [user_id, protocol, source_client_id, relay_group, remote_port, target_host, state],
    [userId, 'tcp', null, 'default', 20_012, '127.0.0.1', 'inactive'],
  );
  assert.deepEqual(body['urls'], ['tcp://node-002.relays.example:20012']);
  assert.deepEqual(body['delivery'], [{ client_id: target, state: 'offline' }]);
  const route = await stack.call('GET', '/domains/lookup?endpoint=tcp:default:20012', { token });
  assert.equal(route.body['binding_id'], `mapping:${body['mapping_id']}`);
  const { config } = await newSession(token, target);
  assert.equal(config.bindings[0]?.['url'], 'tcp://node-002.relays.example:20012');
  assert.equal(config.bindings[0]?.['secret'], null);
});

test('POST /mappings refuses ports that are taken or in no pool', async () => {
  const [one, two] = [await newTenant('port-1'), await newTenant('port-2')];
  const wish = { target_port: 22, remote_port: 20_001 };
  assert.equal((await one.create({ ...wish, target_client_id: one.target })).status, 201);
  const taken = await two.create({ ...wish, target_client_id: two.target });
  assert.deepEqual([taken.status, taken.body['code']], [409, 'port_taken']);
  const outside = await two.create({ target_client_id: two.target, target_port: 22, remote_port: 40_000 });
  assert.deepEqual([outside.status, outside.body['errors'][0].pointer], [422, '/remote_port']);
  const nowhere = await two.create({ target_client_id: two.target, target_port: 22, relay_group: 'none' });
  assert.deepEqual([nowhere.status, nowhere.body['errors'][0].pointer], [422, '/relay_group']);
});

test('POST /mappings under a race gives the last ports of a pool to one each', async () => {
  const tenants = await Promise.all(Array.from({ length: 5 }, (_, i) => newTenant(`port-racer-${i}`)));
  const answers = await Promise.all(
    tenants.map(({ create, target }) => create({ target_client_id: target, target_port: 22, relay_group: 'small' })),
  );
  const made = answers.filter((answer) => answer.status === 201).map((answer) => answer.body['remote_port']);
  assert.deepEqual(new Set(made), new Set([30_000, 30_001]));
  assert.equal(made.length, 2);
  for (const { body } of answers.filter((answer) => answer.status !== 201)) assert.equal(body['code'], 'port_taken');
});

test('POST /mappings makes private mappings whose secret only the two agents get', async () => {
  const { token, target, source, create } = await newTenant('forwarder');
  const wish = {
    source_client_id: source,
    target_client_id: target,
    target_host: '10.0.0.5',
    target_port: 5432,
    local_port: 15_432,
  };
  const { status, body } = await create(wish);
  assert.equal(status, 201);
  assert.deepEqual(
    [body['local_port'], body['remote_port'], body['relay_group'], body['urls']],
    [15_432, null, null, []],
  );
  assert.deepEqual(
    new Set(body['delivery'].map((one: { client_id: number }) => one.client_id)),
    new Set([target, source]),
  );

  const [atTarget, atSource] = [await newSession(token, target), await newSession(token, source)];
  const [served, visited] = [atTarget.config.bindings[0], atSource.config.bindings[0]];
  assert.deepEqual([served?.['role'], served?.['target_host'], served?.['target_port']], ['target', '10.0.0.5', 5432]);
  assert.deepEqual(
    [visited?.['role'], visited?.['local_port'], visited?.['target']],
    ['source', 15_432, '10.0.0.5:5432'],
  );
  assert.match(String(served?.['secret']), /^[\w-]{43}$/);
  assert.equal(visited?.['secret'], served?.['secret']);

  const secret = String(served?.['secret']);
  const { rows } = await stack.database.query('select secret_encrypted from port_mappings where mapping_id = $1', [
    body['mapping_id'],
  ]);
  assert.match(rows[0].secret_encrypted, /^v1\./);
  assert.ok(!JSON.stringify([body, rows, stack.logLines]).includes(secret));
  assert.ok(!JSON.stringify((await stack.asOperator('GET', `/mappings/${body['mapping_id']}`)).body).includes(secret));
});

test('POST /mappings names the fields that do not go together', async () => {
  const { target, source, create } = await newTenant('mismatcher');
  const table: [object, string][] = [
    [{ target_port: 22 }, '/target_client_id'],
    [{ target_client_id: target }, '/target_port'],
    [{ target_client_id: target, target_port: 22, local_port: 1 }, '/local_port'],
    [{ target_client_id: target, target_port: 22, protocol: 'http' }, '/protocol'],
    [{ target_client_id: target, source_client_id: source, target_port: 22 }, '/local_port'],
    [
      { target_client_id: target, source_client_id: source, target_port: 22, local_port: 1, remote_port: 20_000 },
      '/remote_port',
    ],
    [{ target_client_id: target, source_client_id: target, target_port: 22, local_port: 1 }, '/source_client_id'],
    [
      { target_client_id: target, source_client_id: source, protocol: 'socks5', target_port: 1, local_port: 1 },
      '/target_host',
    ],
  ];
  for (const [wish, pointer] of table) {
    const { status, body } = await create(wish);
    assert.deepEqual([status, body['errors']?.[0].pointer], [422, pointer], JSON.stringify(wish));
  }
  const socks = await create({
    target_client_id: target,
    source_client_id: source,
    protocol: 'socks5',
    local_port: 1080,
  });
  assert.deepEqual([socks.status, socks.body['target_host'], socks.body['target_port']], [201, null, null]);
});

test('mappings of another tenant do not exist, and cannot name its clients', async () => {
  const [mine, theirs] = [await newTenant('map-mine'), await newTenant('map-theirs')];
  const made = await theirs.create({ target_client_id: theirs.target, target_port: 22, remote_port: 20_002 });
  const path = `/mappings/${made.body['mapping_id']}`;
  for (const [method, body] of [['GET'], ['PUT', { enabled: false }], ['DELETE']] as const) {
    const answer = await stack.call(method, path, { token: mine.token, body });
    assert.deepEqual([answer.status, answer.body['code']], [404, 'not_found'], method);
  }
  const local = { target_port: 22, local_port: 1 };
  assert.equal(
    (await mine.create({ ...local, target_client_id: theirs.target, source_client_id: mine.source })).status,
    404,
  );
  assert.equal(
    (await mine.create({ ...local, target_client_id: mine.target, source_client_id: theirs.source })).status,
    404,
  );
  for (const path of [
    `/users/${theirs.userId}/mappings`,
    `/users/${theirs.userId}/clients`,
    `/clients/${theirs.target}/mappings`,
  ]) {
    assert.equal((await stack.call('GET', path, { token: mine.token })).status, 404, path);
  }
  const asOperator = {
    ...local,
    user_id: mine.userId,
    target_client_id: theirs.target,
    source_client_id: theirs.source,
  };
  assert.equal((await stack.asOperator('POST', '/mappings', asOperator)).status, 404);
});

test('PUT /mappings/{id} moves a public port: the old endpoint is told to be gone', async () => {
  const { token, target, create } = await newTenant('mover');
  const made = await create({ target_client_id: target, target_port: 22, remote_port: 20_004 });
  const path = `/mappings/${made.body['mapping_id']}`;
  const moved = await stack.call('PUT', path, { token, body: { remote_port: 20_005, name: 'ssh' } });
  assert.deepEqual([moved.status, moved.body['remote_port'], moved.body['name']], [200, 20_005, 'ssh']);
  const { rows } = await stack.database.query(
    `select endpoint, deleted, version::int from outbox where binding_id = $1 and version = $2 order by endpoint`,
    [`mapping:${made.body['mapping_id']}`, moved.body['version']],
  );
  assert.deepEqual(
    rows.map((row) => [row.endpoint, row.deleted]),
    [
      ['tcp:default:20004', true],
      ['tcp:default:20005', false],
    ],
  );
  const other = await create({ target_client_id: target, target_port: 23, remote_port: 20_006 });
  const clash = await stack.call('PUT', `/mappings/${other.body['mapping_id']}`, {
    token,
    body: { remote_port: 20_005 },
  });
  assert.equal(clash.body['code'], 'port_taken');
  const outside = await stack.call('PUT', path, { token, body: { remote_port: 50_000 } });
  assert.equal(outside.body['errors'][0].pointer, '/remote_port');
  assert.equal((await stack.call('PUT', path, { token, body: { local_port: 1 } })).status, 422);
  const off = await stack.call('PUT', path, { token, body: { enabled: false } });
  assert.deepEqual([off.body['enabled'], off.body['status']], [false, 'disabled']);
});

test('DELETE /mappings/{id} frees the port and tells both agents', async () => {
  const { token, target, source, create } = await newTenant('remover');
  const made = await create({ target_client_id: target, source_client_id: source, target_port: 22, local_port: 2200 });
  const earlier = (await newSession(token, source)).config;
  assert.equal(earlier.bindings.length, 1);
  assert.equal((await stack.call('DELETE', `/mappings/${made.body['mapping_id']}`, { token })).status, 204);
  const later = (await newSession(token, source)).config;
  assert.deepEqual([later.bindings, later.version], [[], earlier.version + 1]);
  const { rows } = await stack.database.query(
    'select deleted, version::int, client_ids::int[] from outbox where binding_id = $1 order by id desc limit 1',
    [`mapping:${made.body['mapping_id']}`],
  );
  const [row] = rows;
  assert.deepEqual([row.deleted, row.version], [true, made.body['version'] + 1]);
  assert.deepEqual(new Set(row.client_ids), new Set([target, source]));
});

test("an agent's own credential makes mappings that begin or end at it", async () => {
  const { token, target, source } = await newTenant('agent-maker');
  const third = await stack.newClient(token);
  const { access_token: agent } = await newSession(token, source);
  const create = (body: object) => stack.call('POST', '/mappings', { token: agent, body });
  const forward = await create({
    source_client_id: source,
    target_client_id: target,
    target_port: 22,
    local_port: 2201,
  });
  assert.equal(forward.status, 201);
  assert.equal((await create({ target_port: 22 })).body['target_client_id'], source);
  const foreign = { source_client_id: third, target_client_id: target, target_port: 22, local_port: 2202 };
  assert.equal((await create(foreign)).status, 404);
  assert.equal((await create({ target_client_id: target, target_port: 22 })).status, 404);
  assert.equal((await stack.call('GET', '/mappings', { token: agent })).body['total'], 2);
  assert.equal((await stack.call('GET', `/clients/${source}/mappings`, { token: agent })).body['total'], 2);

  const name = { subdomain: 'of-a-sibling', client_id: target, target_port: 80 };
  assert.equal((await stack.call('POST', '/domains', { token, body: name })).status, 201);
  const wish = await stack.call('POST', '/domains', { token: agent, body: { ...name, client_id: source } });
  assert.deepEqual([wish.body['code'], wish.body['domain_id']], ['subdomain_taken', undefined]);
});

test('GET /nodes and join tokens are for operators', async () => {
  const nodes = await stack.asOperator('GET', '/nodes');
  assert.equal(nodes.body['total'], 3);
  assert.deepEqual(nodes.body['nodes'][0].node_id, 'node-001');
  assert.equal((await stack.asOperator('GET', '/nodes/node-777')).status, 404);
  const details = await stack.asOperator('GET', '/nodes/node-001');
  assert.deepEqual([details.status, details.body['client_ids']], [200, []]);
  const made = await stack.asOperator('POST', '/join-tokens', { relay_group: 'small', uses: null, expires_in_s: null });
  assert.match(made.body['join_token'], /^tnx_join_[\w-]{43}$/);
  assert.deepEqual([made.body['uses_left'], made.body['expires_at']], [null, null]);
  const listed = await stack.asOperator('GET', '/join-tokens');
  assert.ok(!JSON.stringify(listed.body).includes(made.body['join_token']));
  assert.equal((await stack.asOperator('DELETE', `/join-tokens/${made.body['token_id']}`)).status, 204);
  assert.equal((await stack.asOperator('DELETE', `/join-tokens/${made.body['token_id']}`)).status, 404);
  assert.equal((await stack.asOperator('GET', '/join-tokens')).body['join_tokens'].length, 0);
});
