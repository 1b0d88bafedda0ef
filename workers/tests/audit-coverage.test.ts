import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { CloudflareFake } from '@tunnox/testing/cloudflare-fake';
import { waitFor } from '@tunnox/testing/wait-for';
import { FakeRelay } from './fake-relay.ts';
import { type Answer, BASE_DOMAIN, type Body, OPERATOR_KEY, TestStack } from './test-stack.ts';

/** What a change leaves: `create` has no before, `delete` no after, `update` both; an `order` says what was ordered. */
interface Row {
  action: string;
  shape: 'create' | 'update' | 'delete' | 'order';
  /** Tenant that is concerned; absent: the one that `Case.as` names. null: nobody's. */
  userId?: number | null;
}

interface Case {
  path: string;
  body?: unknown;
  /** Who does it; absent: the tenant. */
  as?: 'operator' | 'nobody';
  rows: Row[];
  /** What must not stand in the log, beside what the answer tells for the one time. */
  secrets?: string[];
}

/** Operations that change nothing that anybody must answer for, with the reason. */
const NOT_AUDITED: Record<string, string> = {
  'POST /auth/refresh': 'a log-in that goes on; its begin, its end and the misuse of its tokens are in the log',
};

const PASSWORD = 'correct horse battery staple';
const NEW_PASSWORD = 'staple battery horse correct';
/** Members of answers that are secret. */
const SECRET_MEMBERS = ['api_key', 'auth_code', 'new_auth_code', 'join_token', 'access_token', 'refresh_token'];

let stack: TestStack;
let resolver: { url: string; stop: () => Promise<void> };
let cloudflare: CloudflareFake;
let relay: FakeRelay;
let tenant: { userId: number; token: string };
let clientId: number;
/** What the name server says of every name. */
let proof = '';

before(async () => {
  resolver = await startResolver(() => proof);
  cloudflare = await CloudflareFake.start();
  // An authority to which nobody connects: what is ordered waits.
  stack = await TestStack.start({
    CLOUDFLARE_API_URL: cloudflare.url,
    DNS_RESOLVER_URL: resolver.url,
    ACME_DIRECTORY_URL: 'http://127.0.0.1:1/directory',
  });
  const { body } = await stack.asOperator('POST', '/join-tokens', { uses: null });
  relay = new FakeRelay(stack.url);
  await relay.register({ join_token: body['join_token'] as string });
  await relay.open();
  tenant = await stack.newUser('ada', 'enterprise');
  clientId = await stack.newClient(tenant.token);
});
after(async () => {
  relay.drop();
  await stack.stop();
  await resolver.stop();
  await cloudflare.stop();
});

async function made(path: string, body: unknown, token = tenant.token): Promise<Body> {
  const answer = await stack.call('POST', path, { token, body });
  assert.ok(answer.status < 300, JSON.stringify(answer.body));
  return answer.body;
}

const newMapping = (port: number) => ({
  ...{ source_client_id: clientId, protocol: 'tcp', local_port: port, target_host: 'db.internal', target_port: 5432 },
});
const newRoute = (label: string) => ({
  ...{ endpoint: `${label}.${BASE_DOMAIN}`, client_id: clientId, target_port: 3000, ttl_seconds: 3600 },
});
const newDomain = (subdomain: string) => ({ client_id: clientId, subdomain, target_port: 80 });

const DNS_TOKEN = 'd'.repeat(40);

async function newDnsCredential(): Promise<number> {
  const body = { name: 'dns', provider: 'cloudflare', token: cloudflare.addToken() };
  return (await made('/dns/credentials', body))['credential_id'] as number;
}

async function newDnsZone(domain: string): Promise<number> {
  cloudflare.addZone(domain);
  return (await made('/dns/zones', { domain, credential_id: await newDnsCredential() }))['zone_id'] as number;
}

async function newDnsRecord(domain: string): Promise<number> {
  const body = { zone_id: await newDnsZone(domain), type: 'A', name: 'www', value: '203.0.113.1' };
  return (await made('/dns/records', body))['record_id'] as number;
}

/** Each operation that changes something: what it needs is made, then it is done as a user of it would. */
const CASES: Record<string, () => Promise<Case> | Case> = {
  'POST /auth/login': async () => {
    await userWithPassword('login');
    const { userId } = await userNamed('login');
    const body = { login: 'login', password: PASSWORD };
    return { path: '/auth/login', body, as: 'nobody', rows: [{ action: 'auth.login', shape: 'order', userId }] };
  },
  'POST /auth/logout': async () => {
    await userWithPassword('logout');
    const { userId } = await userNamed('logout');
    const { refresh_token } = await made('/auth/login', { login: 'logout', password: PASSWORD }, undefined);
    const rows: Row[] = [{ action: 'auth.logout', shape: 'order', userId }];
    return { path: '/auth/logout', body: { refresh_token }, as: 'nobody', rows };
  },
  'POST /users': () => ({
    path: '/users',
    body: { username: 'made', email: 'made@customer.example', password: PASSWORD },
    as: 'operator',
    rows: [{ action: 'user.create', shape: 'create' }],
  }),
  'PUT /users/{user_id}': async () => ({
    path: `/users/${(await stack.newUser('changed')).userId}`,
    body: { plan: 'free', status: 'disabled', password: NEW_PASSWORD },
    as: 'operator',
    rows: [{ action: 'user.update', shape: 'update' }],
  }),
  'DELETE /users/{user_id}': async () => ({
    path: `/users/${(await stack.newUser('deleted')).userId}`,
    as: 'operator',
    rows: [{ action: 'user.delete', shape: 'delete' }],
  }),
  'POST /users/{user_id}/quota': () => ({
    path: `/users/${tenant.userId}/quota`,
    body: { max_clients: 100 },
    as: 'operator',
    rows: [{ action: 'quota.set', shape: 'update' }],
  }),
  'DELETE /users/{user_id}/quota': () => ({
    path: `/users/${tenant.userId}/quota`,
    as: 'operator',
    rows: [{ action: 'quota.reset', shape: 'update' }],
  }),
  'POST /users/{user_id}/api-keys': () => ({
    path: `/users/${tenant.userId}/api-keys`,
    body: { name: 'another' },
    rows: [{ action: 'api_key.create', shape: 'create' }],
  }),
  'DELETE /users/{user_id}/api-keys/{key_id}': async () => {
    const { key_id } = await made(`/users/${tenant.userId}/api-keys`, { name: 'to go' });
    const rows: Row[] = [{ action: 'api_key.revoke', shape: 'delete' }];
    return { path: `/users/${tenant.userId}/api-keys/${key_id}`, rows };
  },
  'PUT /plans/{name}': () => ({
    path: '/plans/free',
    body: {
      ...{ max_clients: 3, max_mappings: 5, max_active_mappings: 5, max_connections_per_mapping: 9 },
      ...{ total_bandwidth_limit: null, monthly_traffic_limit: null },
    },
    as: 'operator',
    rows: [{ action: 'plan.update', shape: 'update', userId: null }],
  }),
  'POST /namespaces': () => ({
    path: '/namespaces',
    body: { name: 'made' },
    rows: [{ action: 'namespace.create', shape: 'create' }],
  }),
  'PUT /namespaces/{namespace_id}': async () => ({
    path: `/namespaces/${(await made('/namespaces', { name: 'before' }))['namespace_id']}`,
    body: { name: 'after' },
    rows: [{ action: 'namespace.update', shape: 'update' }],
  }),
  'DELETE /namespaces/{namespace_id}': async () => ({
    path: `/namespaces/${(await made('/namespaces', { name: 'to go' }))['namespace_id']}`,
    rows: [{ action: 'namespace.delete', shape: 'delete' }],
  }),
  'PUT /namespaces/{namespace_id}/members/{user_id}': async () => {
    const { namespace_id } = await made('/namespaces', { name: 'members' });
    const path = `/namespaces/${namespace_id}/members/${(await stack.newUser('member')).userId}`;
    const put = await stack.call('PUT', path, { token: tenant.token, body: { role: 'viewer' } });
    assert.equal(put.status, 200);
    return {
      path,
      body: { role: 'admin' },
      rows: [{ action: 'namespace.put_member', shape: 'update' }],
    };
  },
  'DELETE /namespaces/{namespace_id}/members/{user_id}': async () => {
    const { namespace_id } = await made('/namespaces', { name: 'members to go' });
    const path = `/namespaces/${namespace_id}/members/${(await stack.newUser('leaver')).userId}`;
    const put = await stack.call('PUT', path, { token: tenant.token, body: { role: 'viewer' } });
    assert.equal(put.status, 200);
    return { path, rows: [{ action: 'namespace.remove_member', shape: 'delete' }] };
  },
  'POST /signing-keys/rotate': () => ({
    path: '/signing-keys/rotate',
    body: { purpose: 'session' },
    as: 'operator',
    rows: [{ action: 'signing_key.rotate', shape: 'create', userId: null }],
  }),
  'POST /clients': () => ({
    path: '/clients',
    body: { client_name: 'made' },
    rows: [{ action: 'client.create', shape: 'create' }],
  }),
  'PUT /clients/{client_id}': async () => ({
    path: `/clients/${await stack.newClient(tenant.token)}`,
    body: { client_name: 'renamed', suspended: true, suspended_reason: 'abuse' },
    as: 'operator',
    rows: [{ action: 'client.update', shape: 'update', userId: tenant.userId }],
  }),
  'DELETE /clients/{client_id}': async () => ({
    path: `/clients/${await stack.newClient(tenant.token)}`,
    rows: [{ action: 'client.delete', shape: 'delete' }],
  }),
  'POST /clients/{client_id}/disconnect': () => ({
    path: `/clients/${clientId}/disconnect`,
    rows: [{ action: 'client.disconnect', shape: 'order' }],
  }),
  'POST /clients/{client_id}/rotate-code': async () => {
    const { client_id, auth_code } = await made('/clients', { client_name: 'to rotate' });
    const rows: Row[] = [{ action: 'client.rotate_code', shape: 'order' }];
    return { path: `/clients/${client_id}/rotate-code`, rows, secrets: [auth_code as string] };
  },
  'POST /certificates/{certificate_id}/renew': async () => {
    const { domain_id, full_domain } = await made('/domains', newDomain('secured'));
    const { rows } = await stack.database.query<{ id: number }>(
      `insert into certificates (names, domain_id, challenge) values (array[$1], $2, 'http-01') returning certificate_id as id`,
      [full_domain, domain_id],
    );
    const path = `/certificates/${rows[0]?.id}/renew`;
    return { path, rows: [{ action: 'certificate.renew', shape: 'order' }] };
  },
  'POST /clients/claim': async () => {
    const { clientId: anonymous_client_id, authCode } = await stack.newAnonymous();
    return {
      path: '/clients/claim',
      body: { anonymous_client_id, auth_code: authCode },
      rows: [
        { action: 'client.claim', shape: 'update' },
        { action: 'client.create', shape: 'create' },
      ],
      secrets: [authCode],
    };
  },
  'POST /mappings': async () => ({
    path: '/mappings',
    body: { ...newMapping(6001), target_client_id: await stack.newClient(tenant.token) },
    rows: [{ action: 'mapping.create', shape: 'create' }],
  }),
  'PUT /mappings/{mapping_id}': async () => {
    const body = { ...newMapping(6002), target_client_id: await stack.newClient(tenant.token) };
    const { mapping_id } = await made('/mappings', body);
    const rows: Row[] = [{ action: 'mapping.update', shape: 'update' }];
    return { path: `/mappings/${mapping_id}`, body: { enabled: false }, rows };
  },
  'DELETE /mappings/{mapping_id}': async () => {
    const body = { ...newMapping(6003), target_client_id: await stack.newClient(tenant.token) };
    const { mapping_id } = await made('/mappings', body);
    return { path: `/mappings/${mapping_id}`, rows: [{ action: 'mapping.delete', shape: 'delete' }] };
  },
  'POST /domains': () => ({
    path: '/domains',
    body: newDomain('made'),
    rows: [{ action: 'domain.create', shape: 'create' }],
  }),
  'PUT /domains/{domain_id}': async () => ({
    path: `/domains/${(await made('/domains', newDomain('changed')))['domain_id']}`,
    body: { target_port: 81 },
    rows: [{ action: 'domain.update', shape: 'update' }],
  }),
  'DELETE /domains/{domain_id}': async () => ({
    path: `/domains/${(await made('/domains', newDomain('to-go')))['domain_id']}`,
    rows: [{ action: 'domain.delete', shape: 'delete' }],
  }),
  'POST /domains/{domain_id}/verify': async () => {
    const body = { client_id: clientId, target_port: 80, domain: 'shop.customer.example' };
    const { domain_id, proofs } = await made('/domains', body);
    proof = (proofs as { type: string; value: string }[]).find(({ type }) => type === 'TXT')?.value ?? '';
    return { path: `/domains/${domain_id}/verify`, rows: [{ action: 'domain.verify', shape: 'update' }] };
  },
  'POST /routes': () => ({
    path: '/routes',
    body: newRoute('route'),
    rows: [{ action: 'route.create', shape: 'create' }],
  }),
  'POST /routes/batch': () => ({
    path: '/routes/batch',
    body: { routes: [newRoute('route-1'), newRoute('route-2'), newRoute('route-1')] },
    // The third is refused: its endpoint is taken.
    rows: [
      { action: 'route.create', shape: 'create' },
      { action: 'route.create', shape: 'create' },
    ],
  }),
  'DELETE /routes/{name}': async () => {
    await made('/routes', newRoute('route-to-go'));
    const rows: Row[] = [{ action: 'route.delete', shape: 'delete' }];
    return { path: `/routes/${newRoute('route-to-go').endpoint}`, rows };
  },
  'POST /dns/credentials': () => ({
    path: '/dns/credentials',
    body: { name: 'dns', provider: 'cloudflare', token: DNS_TOKEN },
    rows: [{ action: 'dns_credential.create', shape: 'create' }],
    secrets: [DNS_TOKEN],
  }),
  'PUT /dns/credentials/{credential_id}': async () => ({
    path: `/dns/credentials/${await newDnsCredential()}`,
    body: { token: DNS_TOKEN },
    rows: [{ action: 'dns_credential.update', shape: 'update' }],
    secrets: [DNS_TOKEN],
  }),
  'DELETE /dns/credentials/{credential_id}': async () => ({
    path: `/dns/credentials/${await newDnsCredential()}`,
    rows: [{ action: 'dns_credential.delete', shape: 'delete' }],
  }),
  'POST /dns/zones': async () => {
    cloudflare.addZone('made.example');
    const body = { domain: 'made.example', credential_id: await newDnsCredential() };
    return { path: '/dns/zones', body, rows: [{ action: 'dns_zone.create', shape: 'create' }] };
  },
  'PUT /dns/zones/{zone_id}': async () => ({
    path: `/dns/zones/${await newDnsZone('changed.example')}`,
    body: { policy: 'upsert_only' },
    rows: [{ action: 'dns_zone.update', shape: 'update' }],
  }),
  'DELETE /dns/zones/{zone_id}': async () => ({
    path: `/dns/zones/${await newDnsZone('gone.example')}`,
    rows: [{ action: 'dns_zone.delete', shape: 'delete' }],
  }),
  'POST /dns/zones/{zone_id}/reconcile': async () => ({
    path: `/dns/zones/${await newDnsZone('ordered.example')}/reconcile`,
    rows: [{ action: 'dns_zone.reconcile', shape: 'order' }],
  }),
  'POST /dns/records': async () => ({
    path: '/dns/records',
    body: { zone_id: await newDnsZone('record.example'), type: 'A', name: 'www', value: '203.0.113.1' },
    rows: [{ action: 'dns_record.create', shape: 'create' }],
  }),
  'DELETE /dns/records/{record_id}': async () => ({
    path: `/dns/records/${await newDnsRecord('one.example')}`,
    rows: [{ action: 'dns_record.delete', shape: 'delete' }],
  }),
  'POST /dns/records/delete': async () => ({
    path: '/dns/records/delete',
    body: { ids: [await newDnsRecord('two.example'), await newDnsRecord('three.example')] },
    rows: [
      { action: 'dns_record.delete', shape: 'delete' },
      { action: 'dns_record.delete', shape: 'delete' },
    ],
  }),
  'POST /dns/records/{record_id}/retry': async () => ({
    path: `/dns/records/${await newDnsRecord('retried.example')}/retry`,
    rows: [{ action: 'dns_record.retry', shape: 'order' }],
  }),
  'POST /encryption-keys/rotate': () => ({
    path: '/encryption-keys/rotate',
    as: 'operator',
    rows: [{ action: 'encryption_key.rotate', shape: 'create', userId: null }],
  }),
  'PUT /reserved-names/{name}': () => ({
    path: '/reserved-names/kept',
    body: { reason: 'a trade mark' },
    as: 'operator',
    rows: [{ action: 'reserved_name.put', shape: 'create', userId: null }],
  }),
  'DELETE /reserved-names/{name}': async () => {
    const path = '/reserved-names/given-free';
    assert.equal((await stack.asOperator('PUT', path, { reason: 'a mistake' })).status, 200);
    return { path, as: 'operator', rows: [{ action: 'reserved_name.delete', shape: 'delete', userId: null }] };
  },
  'POST /join-tokens': () => ({
    path: '/join-tokens',
    body: { name: 'rack 4' },
    as: 'operator',
    rows: [{ action: 'join_token.create', shape: 'create', userId: null }],
  }),
  'DELETE /join-tokens/{token_id}': async () => {
    const { token_id, join_token } = await made('/join-tokens', { name: 'to go' }, OPERATOR_KEY);
    return {
      path: `/join-tokens/${token_id}`,
      as: 'operator',
      rows: [{ action: 'join_token.revoke', shape: 'delete', userId: null }],
      secrets: [join_token as string],
    };
  },
  'POST /nodes/{node_id}/drain': () => ({
    path: `/nodes/${relay.nodeId}/drain`,
    body: { deadline_s: 1 },
    as: 'operator',
    rows: [{ action: 'node.drain', shape: 'update', userId: null }],
  }),
  'DELETE /nodes/{node_id}': async () => {
    const { join_token } = await made('/join-tokens', { name: 'short life' }, OPERATOR_KEY);
    const gone = new FakeRelay(stack.url);
    await gone.register({ join_token });
    await gone.open();
    gone.send({ type: 'leaving' });
    const status = async () => (await stack.asOperator('GET', `/nodes/${gone.nodeId}`)).body['status'] as string;
    await waitFor(async () => (await status()) === 'offline', 10_000);
    gone.drop();
    return {
      path: `/nodes/${gone.nodeId}`,
      as: 'operator',
      rows: [{ action: 'node.delete', shape: 'delete', userId: null }],
    };
  },
};

test('every operation that changes something leaves its lines in the audit log', async (t) => {
  const document = (await stack.call('GET', '//openapi.json')).body;
  const operations = Object.entries(document['paths'] as Record<string, object>).flatMap(([path, methods]) =>
    Object.keys(methods)
      .filter((method) => !['get', 'parameters'].includes(method))
      .map((method) => `${method.toUpperCase()} ${path.replace(/^\/api\/v1(?=\/)/, '')}`),
  );
  const known = [...Object.keys(CASES), ...Object.keys(NOT_AUDITED)];
  assert.deepEqual(operations.toSorted(), known.toSorted(), 'each operation is in CASES or in NOT_AUDITED, and exists');
  // Draining sends the relay away; what is done through it comes before.
  for (const [name, prepare] of Object.entries(CASES)) await t.test(name, async () => check(name, await prepare()));
});

async function check(name: string, { path, body, as, rows: expected, secrets = [] }: Case): Promise<void> {
  const [{ id: last } = { id: 0 }] = await sql<{ id: number | null }>('select max(id)::int as id from audit_log');
  const token = { operator: OPERATOR_KEY, nobody: undefined, tenant: tenant.token }[as ?? 'tenant'];
  const answer = await stack.call(name.split(' ')[0] ?? '', path, { token, body });
  assert.ok(answer.status < 300, JSON.stringify(answer.body));
  // The work on certificates goes on by itself beside it.
  const rows = await sql<Record<string, unknown>>(
    `select * from audit_log where id > $1 and not (object_type = 'certificate' and request_id is null) order by action`,
    [last ?? 0],
  );
  assert.deepEqual(
    rows.map(({ action }) => action),
    expected.map(({ action }) => action),
  );
  for (const [index, row] of rows.entries()) {
    const { shape, userId } = expected[index] ?? assert.fail();
    assert.equal(row['request_id'], answer.headers.get('x-request-id'));
    assert.equal(
      row['actor_type'],
      as === 'operator' ? 'operator' : row['actor_type'] === 'system' ? 'system' : 'user',
    );
    if (as === undefined) assert.deepEqual([row['actor_type'], Number(row['actor_id'])], ['user', tenant.userId]);
    if (as === 'operator') assert.equal(row['actor_id'], null);
    const concerned = userId === undefined ? (as === undefined ? tenant.userId : Number(row['object_id'])) : userId;
    // A user's own row is about that user, whatever was changed of it.
    if (userId !== undefined || as === undefined) {
      assert.equal(row['user_id'] === null ? null : Number(row['user_id']), concerned);
    }
    assert.ok(row['object_type'] !== '' && row['object_id'] !== '');
    const [was, is] = [row['before'], row['after']];
    const found = was === null ? (is === null ? 'nothing' : 'create') : is === null ? 'delete' : 'update';
    if (shape !== 'order')
      assert.equal(found, shape, `${name}: before ${JSON.stringify(was)}, after ${JSON.stringify(is)}`);
    if (shape === 'update') assert.notDeepEqual(was, is);
  }
  const told = JSON.stringify(rows);
  for (const secret of [...secrets, ...secretsOf(answer), PASSWORD, NEW_PASSWORD, ...Object.values(tokensOf(body))]) {
    assert.ok(!told.includes(secret), `${name} writes a secret into the log`);
    assert.ok(!told.includes(createHash('sha256').update(secret).digest('hex')), `${name} writes a hash into the log`);
  }
  assert.ok(!/\$scrypt\$|\$2[aby]\$|tnx_(?:live|join|refresh)_\w{20}/.test(told), told);
}

test('a change that is refused, or repeated by its Idempotency-Key, leaves no other line', async () => {
  const [{ count: earlier } = { count: 0 }] = await sql<{ count: number }>(
    'select count(*)::int as count from audit_log',
  );
  const stranger = await stack.newUser('stranger');
  const of = { token: stranger.token };
  for (const [method, path, body] of [
    ['PUT', `/clients/${clientId}`, { client_name: 'taken' }],
    ['DELETE', `/clients/${clientId}`, undefined],
    ['POST', `/users/${tenant.userId}/quota`, { max_clients: null }],
    ['DELETE', `/nodes/${relay.nodeId}`, undefined],
  ] as const) {
    assert.ok((await stack.call(method, path, { ...of, body })).status >= 400);
  }
  // A relay that is there cannot be removed.
  const second = new FakeRelay(stack.url);
  const { join_token } = await made('/join-tokens', {}, OPERATOR_KEY);
  await second.register({ join_token });
  assert.equal((await stack.asOperator('DELETE', `/nodes/${second.nodeId}`)).status, 409);
  const headers = { 'idempotency-key': 'once' };
  const repeat = () => stack.call('POST', '/clients', { ...of, headers, body: { client_name: 'one' } });
  const answers = [await repeat(), await repeat()];
  assert.deepEqual(
    answers.map(({ status }) => status),
    [201, 201],
  );
  const rows = await sql<{ action: string }>('select action from audit_log order by id offset $1', [earlier]);
  assert.deepEqual(
    rows.map(({ action }) => action),
    ['user.create', 'api_key.create', 'join_token.create', 'client.create'],
  );
});

test('what agents make stands in the log too: a client by an API key, and an anonymous one', async () => {
  const start = (token?: string) =>
    stack.call('POST', '//agent/v1/session', { token, body: { agent_version: 'test', protocol: 1 } });
  for (const [token, actor, userId] of [
    [tenant.token, 'user', tenant.userId],
    [undefined, 'system', null],
  ] as const) {
    const answer = await start(token);
    assert.equal(answer.status, 200);
    const rows = await sql<Record<string, unknown>>('select * from audit_log where request_id = $1', [
      answer.headers.get('x-request-id'),
    ]);
    assert.deepEqual(
      rows.map(({ action, actor_type, user_id, object_id }) => [
        action,
        actor_type,
        user_id && Number(user_id),
        object_id,
      ]),
      [['client.create', actor, userId, String(answer.body['client_id'])]],
    );
    assert.ok(!JSON.stringify(rows).includes(String(answer.body['auth_code'])));
  }
});

async function sql<Result>(text: string, values: unknown[] = []): Promise<Result[]> {
  return (await stack.database.query(text, values)).rows as Result[];
}

async function userWithPassword(name: string): Promise<void> {
  const body = { username: name, email: `${name}@customer.example`, password: PASSWORD };
  assert.equal((await stack.asOperator('POST', '/users', body)).status, 201);
}

async function userNamed(name: string): Promise<{ userId: number }> {
  const [row] = await sql<{ userId: number }>('select user_id::int as "userId" from users where username = $1', [name]);
  return row ?? assert.fail();
}

function secretsOf({ body }: Answer): string[] {
  return Object.values(tokensOf(body));
}

function tokensOf(body: unknown): Record<string, string> {
  if (typeof body !== 'object' || body === null) return {};
  const secret = Object.entries(body).filter(
    ([key, value]) => SECRET_MEMBERS.includes(key) && typeof value === 'string',
  );
  return Object.fromEntries(secret) as Record<string, string>;
}

/** DNS over HTTPS that answers every question for TXT with one text, and no other (RFC 8484, RFC 1035). */
async function startResolver(text: () => string): Promise<{ url: string; stop: () => Promise<void> }> {
  const server = createServer((request, response) => {
    void buffer(request).then((query) => {
      let end = 12;
      for (let length = query[end] ?? 0; length > 0; length = query[end] ?? 0) end += length + 1;
      const isText = query.readUInt16BE(end + 1) === 16;
      const head = Buffer.from(query.subarray(0, 12));
      head.writeUInt16BE(0x8180, 2);
      head.writeUInt16BE(isText ? 1 : 0, 6);
      head.fill(0, 8);
      const value = Buffer.from(text());
      const record = Buffer.concat([
        Buffer.from([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, value.length + 1, value.length]),
        value,
      ]);
      const message = Buffer.concat([head, query.subarray(12, end + 5), ...(isText ? [record] : [])]);
      response.writeHead(200, { 'content-type': 'application/dns-message' }).end(message);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/dns-query`,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
