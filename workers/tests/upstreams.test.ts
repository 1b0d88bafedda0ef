import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestStack } from './test-stack.ts';

let stack: TestStack;
before(async () => {
  stack = await TestStack.start();
  await stack.addNode('node-001', 20_000, 20_009);
});
after(() => stack.stop());

/** A tenant with three clients. */
async function newTenant(name: string) {
  const { userId, token } = await stack.newUser(name);
  const clients = await Promise.all([1, 2, 3].map((n) => stack.newClient(token, `agent-${n}`)));
  const call = (method: string, path: string, body?: unknown) => stack.call(method, path, { token, body });
  return { userId, token, clients: clients.sort((a, b) => a - b) as [number, number, number], call };
}

/** What an agent gets as its configuration. */
async function configOf(token: string, client_id: number) {
  const { body } = await stack.call('POST', '//agent/v1/session', {
    token,
    body: { client_id, agent_version: 't', protocol: 1 },
  });
  return body['config'] as { version: number; bindings: { binding_id: string }[] };
}

const ids = (rows: { client_id: number }[]): number[] => rows.map(({ client_id }) => client_id).sort();

test('a mapping is served by several clients, each of which gets it, and hears when it loses it', async () => {
  const { token, clients, call } = await newTenant('balancer');
  const [a, b, c] = clients;
  const upstreams = [
    { client_id: a, weight: 70, priority: 0 },
    { client_id: b, weight: 30, priority: 0 },
  ];
  const made = await call('POST', '/mappings', { upstreams, target_port: 22 });
  assert.equal(made.status, 201);
  assert.deepEqual(ids(made.body['delivery']), [a, b]);
  assert.deepEqual(
    made.body['upstreams'],
    upstreams.map((row) => ({ ...row, online: false })),
  );
  const bindingId = `mapping:${made.body['mapping_id']}`;
  const before = await configOf(token, b);
  assert.deepEqual(
    before.bindings.map((one) => one.binding_id),
    [bindingId],
  );

  const changed = await call('PUT', `/mappings/${made.body['mapping_id']}`, {
    upstreams: [
      { client_id: c, weight: 100, priority: 5 },
      { client_id: a, priority: 1 },
    ],
  });
  assert.equal(changed.status, 200);
  assert.deepEqual(ids(changed.body['delivery']), [a, b, c]);
  assert.deepEqual(changed.body['upstreams'], [
    { client_id: a, weight: 100, priority: 1, online: false },
    { client_id: c, weight: 100, priority: 5, online: false },
  ]);
  assert.equal(changed.body['target_client_id'], a);
  const lost = await configOf(token, b);
  assert.deepEqual([lost.bindings, lost.version], [[], before.version + 1]);
  assert.equal((await configOf(token, c)).bindings.length, 1);
  // What is not named stays.
  const renamed = await call('PUT', `/mappings/${made.body['mapping_id']}`, { name: 'x' });
  assert.deepEqual(ids(renamed.body['upstreams']), [a, c]);

  assert.equal((await call('DELETE', `/mappings/${made.body['mapping_id']}`)).status, 204);
  assert.deepEqual((await configOf(token, c)).bindings, []);
  const { rows } = await stack.database.query('select 1 from endpoint_upstreams where client_id = any($1)', [clients]);
  assert.equal(rows.length, 0);
});

test('a domain is served by several clients, and goes back to one', async () => {
  const { token, clients, call } = await newTenant('name-balancer');
  const [a, b, c] = clients;
  const made = await call('POST', '/domains', {
    subdomain: 'balanced',
    upstreams: [{ client_id: b }, { client_id: a, weight: 0 }],
    target_port: 3000,
  });
  assert.equal(made.status, 201);
  assert.deepEqual(ids(made.body['delivery']), [a, b]);
  const path = `/domains/${made.body['domain_id']}`;
  const one = await call('PUT', path, { client_id: c });
  assert.equal(one.status, 200);
  assert.deepEqual([ids(one.body['delivery']), ids(one.body['upstreams'])], [[a, b, c], [c]]);
  assert.deepEqual((await configOf(token, a)).bindings, []);
  const several = await call('PUT', path, { upstreams: [{ client_id: a }, { client_id: c }] });
  assert.deepEqual(ids(several.body['upstreams']), [a, c]);
  const listed = await call('GET', `/domains?client_id=${a}`);
  assert.equal(listed.body['total'], 1);
});

test('upstreams are of one owner and team, each once, and not the source', async () => {
  const { clients, call, userId, token } = await newTenant('strict');
  const other = await newTenant('stranger');
  const [a, b] = clients;
  const refusals: [object, number, string][] = [
    [{ upstreams: [{ client_id: a }, { client_id: other.clients[0] }] }, 404, 'not_found'],
    [{ upstreams: [{ client_id: other.clients[0] }] }, 404, 'not_found'],
    [{ upstreams: [{ client_id: a }, { client_id: a }] }, 422, 'invalid'],
    [{ upstreams: [] }, 422, 'invalid'],
    [{ upstreams: [{ client_id: a }], target_client_id: a }, 422, 'invalid'],
    [{ upstreams: [{ client_id: a, weight: 1001 }] }, 422, 'invalid'],
    [{ upstreams: [{ client_id: a }, { client_id: b }], source_client_id: b, local_port: 5000 }, 422, 'invalid'],
  ];
  for (const [wish, status, code] of refusals) {
    const { body, ...answer } = await call('POST', '/mappings', { target_port: 22, ...wish });
    assert.deepEqual([answer.status, body['code']], [status, code], JSON.stringify(wish));
  }
  const team = await stack.database.query<{ namespace_id: number }>(
    `insert into namespaces (user_id, name) values ($1, 'team') returning namespace_id`,
    [userId],
  );
  const namespaceId = team.rows[0]?.namespace_id;
  await stack.database.query(`insert into memberships (namespace_id, user_id, role) values ($1, $2, 'owner')`, [
    namespaceId,
    userId,
  ]);
  await stack.database.query('update clients set namespace_id = $1 where client_id = $2', [namespaceId, b]);
  const mixed = await call('POST', '/mappings', { target_port: 22, upstreams: [{ client_id: a }, { client_id: b }] });
  assert.deepEqual([mixed.status, mixed.body['errors'][0].pointer], [422, '/upstreams/1/client_id']);
  const own = await call('POST', '/mappings', { target_port: 22, target_client_id: a });
  const moved = await call('PUT', `/mappings/${own.body['mapping_id']}`, { upstreams: [{ client_id: b }] });
  assert.equal(moved.status, 404);
  assert.equal((await stack.asOperator('GET', `/mappings/${own.body['mapping_id']}`)).body['target_client_id'], a);
  assert.ok(token);
});

test("an agent's own credential names only itself as upstream", async () => {
  const { clients, call, token } = await newTenant('agent-upstreams');
  const [a, b, c] = clients;
  const session = await stack.call('POST', '//agent/v1/session', {
    token,
    body: { client_id: a, agent_version: 't', protocol: 1 },
  });
  const asAgent = (method: string, path: string, body: object) =>
    stack.call(method, path, { token: session.body['access_token'] as string, body });
  const target = { target_port: 22 };
  for (const upstreams of [[{ client_id: b }], [{ client_id: a }, { client_id: b }]]) {
    assert.equal((await asAgent('POST', '/mappings', { ...target, upstreams })).status, 404);
    assert.equal((await asAgent('POST', '/domains', { ...target, upstreams })).status, 404);
  }
  const own = await asAgent('POST', '/mappings', { ...target, upstreams: [{ client_id: a, weight: 5 }] });
  assert.equal(own.status, 201);
  // As its source it may reach any of its siblings, as ever.
  const forward = { ...target, source_client_id: a, local_port: 5432, upstreams: [{ client_id: b }, { client_id: c }] };
  assert.equal((await asAgent('POST', '/mappings', forward)).status, 201);
  const path = `/mappings/${own.body['mapping_id']}`;
  assert.equal((await asAgent('PUT', path, { upstreams: [{ client_id: a }, { client_id: b }] })).status, 404);
  assert.equal((await call('PUT', path, { upstreams: [{ client_id: a }, { client_id: b }] })).status, 200);
  assert.equal((await asAgent('PUT', path, { upstreams: [{ client_id: a }] })).status, 422);
});

test('what several clients serve goes on with the others when one is deleted, and ends with the last', async () => {
  const { clients, call } = await newTenant('leaver');
  const [a, b, c] = clients;
  const upstreams = [{ client_id: a }, { client_id: b }];
  const open = await call('POST', '/mappings', { upstreams, target_port: 22 });
  const hidden = await call('POST', '/mappings', { upstreams, source_client_id: c, local_port: 2222, target_port: 22 });
  const name = await call('POST', '/domains', { upstreams, target_port: 80 });
  const paths = [
    `/mappings/${open.body['mapping_id']}`,
    `/mappings/${hidden.body['mapping_id']}`,
    `/domains/${name.body['domain_id']}`,
  ];
  assert.equal((await call('DELETE', `/clients/${a}`)).status, 204);
  for (const path of paths) {
    const { status, body } = await call('GET', path);
    assert.deepEqual([status, ids(body['upstreams'])], [200, [b]], path);
  }
  assert.equal((await call('DELETE', `/clients/${b}`)).status, 204);
  for (const path of paths) assert.equal((await call('GET', path)).status, 404, path);
});
