import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { waitFor } from '@tunnox/testing/wait-for';
import { instanceId } from './fake-relay.ts';
import { LiveHarness, type Tenant } from './live-harness.ts';

let harness: LiveHarness;
before(async () => {
  harness = await LiveHarness.start({ relayLeaseMs: 8000 });
});
after(() => harness.stop());

// oxlint-disable-next-line typescript/no-explicit-any
type Body = Record<string, any>;

/** A tenant with a client, and its calls. */
async function newTenant(tenant?: Tenant) {
  const owner = tenant ?? (await harness.tenant());
  const { client_id: clientId } = await harness.api<{ client_id: number }>(
    'POST',
    '/clients',
    { client_name: 'agent' },
    owner.apiKey,
  );
  const call = async (method: string, path: string, body?: unknown): Promise<{ status: number; body: Body }> => {
    const response = await harness.tryApi(method, path, body, owner.apiKey);
    const text = await response.text();
    return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as Body };
  };
  return { ...owner, clientId, call };
}

let names = 0;
const newName = (): string => `route-${(names += 1)}.${harness.plane.baseDomain}`;

/** An agent of the client, attached to a relay. */
async function attach(clientId: number) {
  const relay = await harness.relay();
  const session = { client_id: clientId, instance_id: instanceId(), connect_seq: 1 };
  const [result] = await relay.attach({ ...session, generation: 1, mode: 'attach' });
  assert.equal(result?.outcome, 'accepted');
  return { relay, session };
}

test('POST /routes binds a name for a time; it is looked up, listed, read and ended', async () => {
  const { call, clientId, userId } = await newTenant();
  const endpoint = newName();
  const made = await call('POST', '/routes', {
    endpoint: endpoint.toUpperCase(),
    client_id: clientId,
    target_port: 3000,
    ttl_seconds: 60,
  });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  assert.deepEqual(
    [made.body['endpoint'], made.body['protocol'], made.body['user_id'], made.body['ends_with_client']],
    [endpoint, 'http', userId, false],
  );
  const leftMs = Date.parse(made.body['expires_at'] as string) - Date.now();
  assert.ok(leftMs > 30_000 && leftMs <= 60_000, String(leftMs));
  assert.deepEqual(made.body['delivery'], [{ client_id: clientId, state: 'offline' }]);
  const relay = await harness.relay();
  const found = await relay.lookup(endpoint);
  assert.ok(found.found && found.binding.route === true);
  assert.equal(found.binding.expires_at, made.body['expires_at']);
  assert.equal((await call('GET', `/routes/${endpoint}`)).body['binding_id'], found.binding.binding_id);
  const listed = await call('GET', '/routes');
  assert.deepEqual(
    [listed.body['total'], listed.body['routes'].map((route: Body) => route['endpoint'])],
    [1, [endpoint]],
  );
  // The agent serves it as any other.
  const session = await harness.session({ userId, apiKey: await newKey(userId) }, { client_id: clientId });
  assert.equal(session.config.bindings[0]?.binding_id, found.binding.binding_id);
  assert.equal((await call('DELETE', `/routes/${endpoint}`)).status, 204);
  assert.deepEqual(await relay.lookup(endpoint), { found: false });
  assert.equal((await call('GET', `/routes/${endpoint}`)).status, 404);
  assert.equal((await call('DELETE', `/routes/${endpoint}`)).status, 404);
});

async function newKey(userId: number): Promise<string> {
  const made = await harness.api<{ api_key: string }>('POST', `/users/${userId}/api-keys`, {
    scopes: ['read', 'write'],
  });
  return made.api_key;
}

test('POST /routes binds ports of a pool', async () => {
  const { call, clientId } = await newTenant();
  const relay = await harness.relay();
  const wish = { endpoint: 'tcp:default:20007', client_id: clientId, target_port: 22, ttl_seconds: 60 };
  const made = await call('POST', '/routes', wish);
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const found = await relay.lookup('tcp:default:20007');
  assert.ok(found.found && found.binding.protocol === 'tcp');
  const again = await call('POST', '/routes', wish);
  assert.deepEqual([again.status, again.body['code'], again.body['yours']], [409, 'endpoint_taken', true]);
  // A mapping cannot have it either.
  const mapping = await call('POST', '/mappings', { target_client_id: clientId, target_port: 1, remote_port: 20_007 });
  assert.equal(mapping.body['code'], 'port_taken');
  const outside = await call('POST', '/routes', { ...wish, endpoint: 'tcp:default:40000' });
  assert.deepEqual([outside.status, outside.body['errors'][0].pointer], [422, '/endpoint']);
  assert.equal((await call('DELETE', '/routes/tcp:default:20007')).status, 204);
  assert.deepEqual(await relay.lookup('tcp:default:20007'), { found: false });
});

test('POST /routes and DELETE of a port need a key for mappings too', async () => {
  const { call, clientId, userId } = await newTenant();
  await harness.relay();
  const { api_key: narrow } = await harness.api<{ api_key: string }>(
    'POST',
    `/users/${userId}/api-keys`,
    { scopes: ['domains:read', 'domains:write'] },
    harness.plane.operatorKey,
  );
  const port = (await call('POST', '/mappings', { target_client_id: clientId, target_port: 22 })).body['remote_port'];
  const endpoint = `tcp:default:${port}`;
  const made = await harness.tryApi('POST', '/routes', { endpoint, client_id: clientId, ttl_seconds: 60 }, narrow);
  assert.equal(made.status, 403);
  assert.equal((await harness.tryApi('DELETE', `/routes/${endpoint}`, undefined, narrow)).status, 403);
  const name = { endpoint: newName(), client_id: clientId, ttl_seconds: 60 };
  assert.equal((await harness.tryApi('POST', '/routes', name, narrow)).status, 201);
});

test('POST /routes refuses what nobody may have, and tells whose an endpoint is', async () => {
  const [one, two] = [await newTenant(), await newTenant()];
  const endpoint = newName();
  const wish = { endpoint, client_id: one.clientId, ttl_seconds: 60 };
  assert.equal((await one.call('POST', '/routes', wish)).status, 201);
  const theirs = await two.call('POST', '/routes', { ...wish, client_id: two.clientId });
  assert.deepEqual([theirs.status, theirs.body['code'], theirs.body['yours']], [409, 'endpoint_taken', false]);
  assert.equal((await two.call('GET', `/routes/${endpoint}`)).status, 404);
  assert.equal((await two.call('DELETE', `/routes/${endpoint}`)).status, 404);
  const base = harness.plane.baseDomain;
  const refusals: [object, number, string][] = [
    [{ endpoint: `admin.${base}` }, 422, 'name_invalid'],
    [{ endpoint: `-x.${base}` }, 422, 'name_invalid'],
    [{ endpoint: `a.b.${base}` }, 422, 'name_invalid'],
    [{ endpoint: `*.${base}` }, 422, 'name_invalid'],
    [{ endpoint: base }, 422, 'name_invalid'],
    [{ endpoint: 'name' }, 422, 'invalid'],
    [{ endpoint: 'udp:default:20001' }, 422, 'invalid'],
    [{ endpoint: 'tcp:default:0' }, 422, 'invalid'],
    [{ endpoint: 'tcp:default:65536' }, 422, 'invalid'],
    [{ endpoint: 'mapping:1001' }, 422, 'invalid'],
    [{ endpoint: 'shop.customer.example' }, 422, 'invalid'],
    [{ endpoint: newName(), client_id: two.clientId }, 404, 'not_found'],
    [{ endpoint: newName(), ttl_seconds: 0 }, 422, 'invalid'],
    [{ endpoint: newName(), target_port: 0 }, 422, 'invalid'],
  ];
  for (const [wrong, status, code] of refusals) {
    const { body, ...answer } = await one.call('POST', '/routes', { ...wish, ...wrong });
    assert.deepEqual([answer.status, body['code']], [status, code], JSON.stringify(wrong));
  }
  const domain = await harness.domain(one, one.clientId);
  const kept = await one.call('DELETE', `/routes/${domain}`);
  assert.deepEqual([kept.status, kept.body['code']], [409, 'conflict']);
  const anonymous = await harness.session(null);
  const asAnonymous = await harness.tryApi(
    'POST',
    '/routes',
    { ...wish, client_id: anonymous.client_id },
    anonymous.access_token,
  );
  assert.equal(((await asAnonymous.json()) as Body)['code'], 'login_required');
});

test("POST /routes gives names below a tenant's own verified domain, and to nobody else", async () => {
  const [one, two] = [await newTenant(), await newTenant()];
  const own = `own-${Date.now()}.example`;
  const asOperator = await harness.tryApi('POST', '/domains', {
    ...{ domain: own, client_id: one.clientId, target_port: 80 },
  });
  assert.equal(asOperator.status, 201, await asOperator.clone().text());
  const wish = { endpoint: `a.b.${own}`, client_id: one.clientId, ttl_seconds: 60 };
  assert.equal((await one.call('POST', '/routes', wish)).status, 201);
  const foreign = await two.call('POST', '/routes', { ...wish, endpoint: `c.${own}`, client_id: two.clientId });
  assert.deepEqual([foreign.status, foreign.body['code']], [422, 'invalid']);
  const itself = await one.call('POST', '/routes', { ...wish, endpoint: own });
  assert.deepEqual([itself.status, itself.body['yours']], [409, true]);
});

test('POST /routes/batch makes what can be made, counts the quota, and tells why not', async () => {
  const { call, clientId, userId } = await newTenant();
  await harness.api('POST', `/users/${userId}/quota`, { max_mappings: 3 });
  const taken = newName();
  assert.equal((await call('POST', '/routes', { endpoint: taken, client_id: clientId, ttl_seconds: 60 })).status, 201);
  const [first, second, third] = [newName(), newName(), newName()];
  const wishes = [first, first, 'admin.tunnox.localhost', taken, second, third].map((endpoint) => ({
    ...{ endpoint, client_id: clientId, ttl_seconds: 60 },
  }));
  const { status, body } = await call('POST', '/routes/batch', { routes: [...wishes, { ...wishes[0], client_id: 1 }] });
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(body['created'], 2);
  assert.deepEqual(
    body['results'].map((result: Body) => result['code'] ?? result['outcome']),
    ['created', 'endpoint_taken', 'name_invalid', 'endpoint_taken', 'created', 'quota_exceeded', 'not_found'],
  );
  const bindings = body['results'].filter((result: Body) => result['outcome'] === 'created');
  const [row] = await harness.sql<{ version: number; noted: number; audits: number; waiting: number }>(
    `select c.config_version::int as version,
       (select count(*)::int from client_config_changes h where h.client_id = c.client_id and h.binding_id = any($2)) as noted,
       (select count(*)::int from audit_log a where a.action = 'route.create' and a.user_id = c.user_id) as audits,
       (select count(*)::int from outbox o where c.client_id = any(o.client_ids)) as waiting
     from clients c where c.client_id = $1`,
    clientId,
    bindings.map((result: Body) => result['binding_id']),
  );
  // One version and one row of the outbox for the whole batch; the quota's own change is another one of each.
  assert.deepEqual(row, { version: 3, noted: 2, audits: 3, waiting: 3 });
  assert.equal((await call('POST', '/routes/batch', { routes: [] })).status, 422);
});

test('a client has no more routes than its relay can be told of', async () => {
  const { call, clientId, userId } = await newTenant();
  await harness.api('POST', `/users/${userId}/quota`, { max_mappings: null });
  const codes = new Map<string, number>();
  for (let batch = 0; batch < 5; batch += 1) {
    const routes = Array.from({ length: batch === 4 ? 3 : 499 + (batch % 2) }, () => ({
      ...{ endpoint: newName(), client_id: clientId, ttl_seconds: 600 },
    }));
    const { body } = await call('POST', '/routes/batch', { routes });
    for (const result of body['results'] as Body[]) {
      const outcome = (result['code'] ?? result['outcome']) as string;
      codes.set(outcome, (codes.get(outcome) ?? 0) + 1);
    }
  }
  assert.deepEqual(Object.fromEntries(codes), { created: 2000, quota_exceeded: 1 });
});

test('of two who want one endpoint at once exactly one gets it', async () => {
  const tenants = await Promise.all(Array.from({ length: 4 }, () => newTenant()));
  const endpoint = newName();
  const answers = await Promise.all(
    tenants.map(({ call, clientId }) => call('POST', '/routes', { endpoint, client_id: clientId, ttl_seconds: 60 })),
  );
  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 409, 409, 409]);
});

test('the quota is exact when many ask at once', async () => {
  const { call, clientId, userId } = await newTenant();
  await harness.api('POST', `/users/${userId}/quota`, { max_mappings: 2 });
  const answers = await Promise.all(
    Array.from({ length: 6 }, () =>
      call('POST', '/routes', { endpoint: newName(), client_id: clientId, ttl_seconds: 60 }),
    ),
  );
  assert.equal(answers.filter(({ status }) => status === 201).length, 2);
  for (const { body, status } of answers) if (status !== 201) assert.equal(body['code'], 'quota_exceeded');
});

test('a route ends with its time, with no sweep at all; others may have its endpoint then', async () => {
  const [one, two] = [await newTenant(), await newTenant()];
  const { relay, session } = await attach(one.clientId);
  const endpoint = newName();
  const wish = { endpoint, client_id: one.clientId, ttl_seconds: 1 };
  const made = one.call('POST', '/routes', wish);
  const { policy } = await relay.receive('policy', (message) => message.policy.bindings.length > 0);
  relay.send({ type: 'config_applied', client_id: one.clientId, version: policy.config_version, problems: [] });
  assert.deepEqual((await made).body['delivery'], [{ client_id: one.clientId, state: 'applied' }]);
  const [binding] = policy.bindings;
  assert.equal(binding?.endpoint, endpoint);
  const before = await relay.lookup(endpoint);
  assert.ok(before.found && before.upstreams[0]?.presence !== null);
  await waitFor(async () => !(await relay.lookup(endpoint)).found, 10_000);
  assert.ok(Date.parse(binding?.expires_at ?? '') <= Date.now());
  assert.equal((await one.call('GET', `/routes/${endpoint}`)).status, 404);
  assert.equal((await one.call('GET', '/routes')).body['total'], 0);
  const [standing] = await harness.sql<{ count: number }>(
    'select count(*)::int as count from http_domain_mappings where full_domain = $1',
    endpoint,
  );
  assert.equal(standing?.count, 1, 'nothing has swept it');
  const theirs = await two.call('POST', '/routes', { ...wish, client_id: two.clientId, ttl_seconds: 60 });
  assert.equal(theirs.status, 201, JSON.stringify(theirs.body));
  // "No such name" was said a moment ago, and counts for a second.
  await waitFor(async () => {
    const found = await relay.lookup(endpoint);
    return found.found && found.binding.user_id === two.userId;
  }, 10_000);
  await relay.detach(session);
});

test('a domain and a mapping take what has ended, with no sweep', async () => {
  const [one, two] = [await newTenant(), await newTenant()];
  const [label, port] = [`ended-${one.clientId}`, 20_013];
  const endpoints = [`${label}.${harness.plane.baseDomain}`, `tcp:default:${port}`];
  await harness.relay();
  const routes = endpoints.map((endpoint) => ({ endpoint, client_id: one.clientId, ttl_seconds: 600 }));
  assert.equal((await one.call('POST', '/routes/batch', { routes })).body['created'], 2);
  const domain = { client_id: two.clientId, subdomain: label, target_port: 80 };
  const mapping = { target_client_id: two.clientId, target_port: 80, remote_port: port };
  assert.equal((await two.call('POST', '/domains', domain)).status, 409);
  assert.equal((await two.call('POST', '/mappings', mapping)).status, 409);
  for (const table of ['http_domain_mappings', 'port_mappings']) {
    await harness.sql(`update ${table} set expires_at = now() where user_id = $1`, one.userId);
  }
  assert.equal((await two.call('POST', '/domains', domain)).status, 201);
  assert.equal((await two.call('POST', '/mappings', mapping)).status, 201);
  assert.equal((await one.call('GET', '/routes')).body['total'], 0);
});

test('the sweep takes away what has ended, and tells the agents', async () => {
  const { call, clientId } = await newTenant();
  const { relay, session } = await attach(clientId);
  const [endpoint, port] = [newName(), 'tcp:default:20011'];
  const wishes = [endpoint, port].map((one) => ({ endpoint: one, client_id: clientId, ttl_seconds: 60 }));
  assert.equal((await call('POST', '/routes/batch', { routes: wishes })).body['created'], 2);
  await relay.receive('policy', (message) => message.policy.bindings.length === 2);
  for (const table of ['http_domain_mappings', 'port_mappings']) {
    await harness.sql(`update ${table} set expires_at = now() where expires_at is not null`);
  }
  await harness.plane.runScheduled();
  const { policy } = await relay.receive('policy', (message) => message.policy.bindings.length === 0);
  assert.ok(policy.config_version >= 2);
  const [left] = await harness.sql<{ count: number; audits: number }>(
    `select (select count(*)::int from endpoint_upstreams where client_id = $1) as count,
      (select count(*)::int from audit_log where action = 'route.expire' and object_id = any($2)) as audits`,
    clientId,
    [endpoint, port],
  );
  assert.deepEqual(left, { count: 0, audits: 2 });
  await relay.detach(session);
});

test('a route without a time ends when its agent leaves, and not when the agent moves', async () => {
  const { call, clientId } = await newTenant();
  const { relay, session } = await attach(clientId);
  const endpoint = newName();
  const lasting = newName();
  const wish = { client_id: clientId, target_port: 3000 };
  const made = await call('POST', '/routes', { ...wish, endpoint });
  assert.deepEqual([made.body['expires_at'], made.body['ends_with_client']], [null, true]);
  assert.equal((await call('POST', '/routes', { ...wish, endpoint: lasting, ttl_seconds: 600 })).status, 201);

  const other = await harness.relay();
  const moved = { ...session, connect_seq: 2 };
  await other.attach({ ...moved, generation: 1, mode: 'attach' });
  await relay.detach(session);
  await harness.plane.runScheduled();
  const still = await other.lookup(endpoint);
  assert.ok(still.found && still.upstreams[0]?.presence?.node_id === other.nodeId);

  await other.detach(moved);
  await waitFor(async () => !(await other.lookup(endpoint)).found, 10_000);
  assert.equal((await other.lookup(lasting)).found, true);
  const again = await call('POST', '/routes', { ...wish, endpoint });
  assert.equal(again.status, 201, 'its endpoint is free');
  // It waits for the agent now.
  await harness.plane.runScheduled();
  await waitFor(async () => (await other.lookup(endpoint)).found, 10_000);
});

test('a route without a time ends when the relay of its agent dies without a word', async () => {
  const { call, clientId } = await newTenant();
  const { relay } = await attach(clientId);
  const endpoint = newName();
  assert.equal((await call('POST', '/routes', { endpoint, client_id: clientId })).status, 201);
  relay.drop();
  const watcher = await harness.relay();
  await waitFor(async () => {
    await watcher.ping();
    const found = await watcher.lookup(endpoint);
    return found.found && found.upstreams[0]?.presence === null;
  }, 10_000);
  await waitFor(async () => {
    await harness.plane.runScheduled();
    return !(await watcher.lookup(endpoint)).found;
  }, 10_000);
});

test('routes make no objects', async () => {
  const { call, clientId } = await newTenant();
  const relay = await harness.relay();
  const before = await routeObjects();
  const endpoints = Array.from({ length: 20 }, newName);
  const routes = endpoints.map((endpoint) => ({ endpoint, client_id: clientId, ttl_seconds: 60 }));
  assert.equal((await call('POST', '/routes/batch', { routes })).body['created'], 20);
  for (const endpoint of endpoints) assert.equal((await relay.lookup(endpoint)).found, true);
  for (const endpoint of endpoints.slice(0, 5)) await call('DELETE', `/routes/${endpoint}`);
  await harness.sql('update http_domain_mappings set expires_at = now() where expires_at is not null');
  await harness.plane.runScheduled();
  assert.equal(await routeObjects(), before);
  await harness.domain({ userId: 0, apiKey: harness.plane.operatorKey }, clientId);
  assert.equal(await routeObjects(), before + 1, 'the count counts');
});

async function routeObjects(): Promise<number> {
  const files = await readdir(harness.plane.storageDir, { recursive: true });
  return files.filter((file) => file.includes('DomainRoute') && file.endsWith('.sqlite')).length;
}
