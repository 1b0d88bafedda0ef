import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { decodeJwt, decodeProtectedHeader, importJWK, type JWK, SignJWT } from 'jose';
import { createCipher } from '../src/services/cipher.ts';
import { FakeRelay } from './fake-relay.ts';
import { type Household, makeHousehold, snapshot } from './household.ts';
import { type Answer, BASE_DOMAIN, OPERATOR_KEY, TestStack } from './test-stack.ts';

interface Operation {
  method: string;
  /** With the names of parameters. */
  template: string;
  /** `GET /clients/{client_id}` */
  name: string;
  /** Scopes of which each alone is enough; none: open to everybody. */
  scopes: string[];
}

/** What an operation is aimed at: what a tenant has alone, or what its team has. */
type Victim = Omit<Household, 'team' | 'viewer'>;

/** A credential, or none; what a table of them is keyed by says whose. */
type Credentials = Record<string, string | undefined>;

const LIMITS = [
  ...['max_clients', 'max_mappings', 'max_active_mappings', 'max_connections_per_mapping'],
  ...['total_bandwidth_limit', 'monthly_traffic_limit'],
];

const ENCRYPTION_KEY = randomBytes(32);

let stack: TestStack;
let relay: FakeRelay;
let ours: Household;
let theirs: Household;
/** What our team has, which is ours as well. */
let ourTeam: Victim;
let anonymous: { clientId: number; token: string };
let operations: Operation[];
let open: Operation[];

before(async () => {
  stack = await TestStack.start({ ENCRYPTION_KEY: ENCRYPTION_KEY.toString('base64') });
  relay = new FakeRelay(stack.url);
  const { body } = await stack.asOperator('POST', '/join-tokens', {});
  await relay.register({ join_token: body['join_token'] as string });
  ours = await makeHousehold(stack, 'ours');
  theirs = await makeHousehold(stack, 'theirs');
  ourTeam = { ...ours, ...ours.team };
  anonymous = await stack.newAnonymous();
  const document = (await stack.call('GET', '//openapi.json')).body;
  type Described = Record<string, { security?: Record<string, string[]>[] }>;
  const all = Object.entries(document['paths'] as Record<string, Described>)
    .filter(([path]) => path.startsWith('/api/v1/'))
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { security }]): Operation => {
        const template = path.slice('/api/v1'.length);
        const scopes = (security ?? document['security']).flatMap(({ bearer = [] }: { bearer?: string[] }) => bearer);
        return { method: method.toUpperCase(), template, name: `${method.toUpperCase()} ${template}`, scopes };
      }),
    );
  open = all.filter(({ scopes }) => scopes.length === 0);
  operations = all.filter(({ scopes }) => scopes.length > 0);
  assert.ok(operations.length > 60, `${operations.length} operations`);
});
after(() => stack.stop());

/** The operation aimed at the household's objects. */
function aimedAt(victim: Victim, { template, name }: Operation): { path: string; body: unknown } {
  const values: Record<string, string | number> = {
    user_id: victim.userId,
    key_id: victim.keyId,
    client_id: victim.clientId,
    mapping_id: victim.mappingId,
    domain_id: victim.domainId,
    certificate_id: victim.certificateId,
    credential_id: victim.dns.credentialId,
    zone_id: victim.dns.zoneId,
    record_id: victim.dns.recordId,
    namespace_id: victim.namespaceId,
    name: template.startsWith('/routes') ? victim.host : 'kept-back',
    node_id: relay.nodeId,
    token_id: 1,
  };
  const path = template.replaceAll(/\{(\w+)\}/g, (_, key: string) => {
    assert.ok(key in values, `the parameter ${key} of ${name} has a value here`);
    return String(values[key]);
  });
  const query: Record<string, string> = {
    'GET /domains/availability': `?name=${victim.host.split('.')[0]}`,
    'GET /domains/lookup': `?host=${victim.host}`,
    'GET /namespaces': `?user_id=${victim.userId}`,
    'GET /clients': `?user_id=${victim.userId}`,
    'GET /mappings': `?user_id=${victim.userId}&client_id=${victim.clientId}`,
    'GET /dns/records': `?zone_id=${victim.dns.zoneId}`,
    'GET /certificates': `?domain_id=${victim.domainId}`,
    'GET /domains': `?user_id=${victim.userId}&client_id=${victim.clientId}`,
    'GET /connections': `?user_id=${victim.userId}&client_id=${victim.clientId}`,
    'GET /audit': `?user_id=${victim.userId}`,
    'GET /audit/export': `?user_id=${victim.userId}`,
  };
  const route = { endpoint: `intruder.${BASE_DOMAIN}`, client_id: victim.clientId };
  const bodies: Record<string, unknown> = {
    'POST /users': { username: 'intruder', email: 'intruder@customer.example' },
    'PUT /users/{user_id}': { email: 'taken-over@customer.example' },
    'POST /users/{user_id}/quota': { max_clients: null },
    'POST /users/{user_id}/api-keys': {},
    'POST /clients': { user_id: victim.userId, client_name: 'intruder' },
    'POST /clients/claim': {
      ...{ anonymous_client_id: anonymous.clientId, auth_code: 'wrong' },
      ...{ user_id: victim.userId, namespace_id: victim.namespaceId },
    },
    'PUT /clients/{client_id}': { client_name: 'intruder', enabled: false },
    'POST /clients/{client_id}/disconnect': undefined,
    'POST /clients/{client_id}/rotate-code': undefined,
    'POST /mappings': {
      target_client_id: victim.clientId,
      source_client_id: victim.siblingId,
      local_port: 1,
      target_port: 1,
    },
    'PUT /mappings/{mapping_id}': { target_host: 'evil.internal' },
    'POST /domains': { client_id: victim.clientId, subdomain: 'intruder', target_port: 1 },
    'POST /routes': route,
    'POST /routes/batch': { routes: [route] },
    'POST /domains/{domain_id}/verify': undefined,
    'POST /certificates/{certificate_id}/renew': undefined,
    'POST /dns/credentials': { name: 'intruder', provider: 'cloudflare', token: 'a-token-of-40-characters' },
    'PUT /dns/credentials/{credential_id}': { token: 'another-token-of-40-characters' },
    'POST /dns/zones': { domain: 'intruder.example', credential_id: victim.dns.credentialId },
    'PUT /dns/zones/{zone_id}': { policy: 'dry_run' },
    'POST /dns/zones/{zone_id}/reconcile': undefined,
    'POST /dns/records': { zone_id: victim.dns.zoneId, type: 'A', name: 'intruder', value: '203.0.113.66' },
    'POST /dns/records/delete': { ids: [victim.dns.recordId] },
    'POST /dns/records/{record_id}/retry': undefined,
    'POST /encryption-keys/rotate': undefined,
    'PUT /reserved-names/{name}': { reason: 'an intrusion' },
    'PUT /domains/{domain_id}': { target_host: 'evil.internal', enabled: false },
    'PUT /plans/{name}': Object.fromEntries(LIMITS.map((limit) => [limit, null])),
    'POST /namespaces': { name: 'intruders', user_id: victim.userId },
    'PUT /namespaces/{namespace_id}': { name: 'intruders' },
    'PUT /namespaces/{namespace_id}/members/{user_id}': { role: 'admin' },
    'POST /signing-keys/rotate': { purpose: 'ticket' },
    'POST /nodes/{node_id}/drain': {},
    'POST /join-tokens': {},
  };
  if (/^(?:POST|PUT|PATCH)/.test(name)) assert.ok(name in bodies, `${name} has a body here`);
  return { path: path + (query[name] ?? ''), body: bodies[name] };
}

/** Calls every operation with every credential, and hands each answer to `check`. Nothing may have changed. */
async function callAll(
  victim: Victim,
  credentials: Credentials,
  check: (answer: Answer, operation: Operation, what: string) => void,
  which: Operation[] = operations,
): Promise<void> {
  const unchanged = await snapshot(stack);
  for (const operation of which) {
    const { path, body } = aimedAt(victim, operation);
    const answers = Object.entries(credentials).map(
      async ([who, token]) => [who, await stack.call(operation.method, path, { token, body })] as const,
    );
    for (const [who, answer] of await Promise.all(answers)) {
      check(answer, operation, `${operation.name} with ${who}: ${answer.status} ${JSON.stringify(answer.body)}`);
    }
  }
  assert.deepEqual(await snapshot(stack), unchanged);
}

function assertRefused({ status, body }: Answer, what: string, ...refusals: [number, string][]): void {
  assert.ok(
    refusals.some(([expected, code]) => status === expected && body['code'] === code),
    what,
  );
}

/** Operations that are aimed at nobody: whoever has an account makes something of its own. */
const UNAIMED = new Set(['POST /dns/credentials']);

/** Operations that answer for each of several things: 200, and every one of them must be refused. */
const MANY = new Set(['POST /routes/batch']);

/** The credential is good, but not for this, or not for what is another's. */
function assertClosed(answer: Answer, { name }: Operation, what: string): void {
  const refusals: [number, string][] = [
    [403, 'forbidden'],
    [403, 'login_required'],
    [404, 'not_found'],
  ];
  if (name === 'POST /dns/records/delete' && answer.status === 200)
    return assert.deepEqual(answer.body, { affected: 0 }, what);
  if (!MANY.has(name) || answer.status !== 200) return assertRefused(answer, what, ...refusals);
  const results = answer.body['results'] as { outcome: string; code: string }[];
  assert.ok(results.length > 0, what);
  for (const { outcome, code } of results) {
    assert.ok(outcome === 'refused' && refusals.some(([, refusal]) => refusal === code), what);
  }
}

/** Whoever asks may see what it has itself (200), but nothing that is marked as another's. */
function assertBlind(answer: Answer, operation: Operation, what: string, marks: string[]): void {
  // An object that is named in the path is the other's.
  const lists = operation.method === 'GET' && !operation.template.includes('{');
  if (answer.status !== 200 || !lists) return assertClosed(answer, operation, what);
  for (const mark of marks) assert.ok(!JSON.stringify(answer.body).includes(mark), `${what} tells ${mark}`);
}

/** The access token with other claims, signed by the control plane's own key. */
async function resigned(token: string, change: object): Promise<string> {
  const { kid = '', alg = '' } = decodeProtectedHeader(token);
  const { rows } = await stack.database.query<{ sealed: string }>(
    'select private_key_encrypted as sealed from signing_keys where kid = $1',
    [kid],
  );
  const bytes = await createCipher(ENCRYPTION_KEY, 'signing-key').decrypt(rows[0]?.sealed ?? '');
  const key = await importJWK(JSON.parse(new TextDecoder().decode(bytes)) as JWK, alg);
  return new SignJWT({ ...decodeJwt(token), ...change }).setProtectedHeader({ alg, kid, typ: 'JWT' }).sign(key);
}

test('every operation refuses who shows no credential, one that is wrong or over, or one of another interface', async () => {
  const [asleep, gone] = [await makeHousehold(stack, 'asleep'), await makeHousehold(stack, 'gone')];
  await stack.asOperator('PUT', `/users/${asleep.userId}`, { status: 'disabled' });
  await stack.asOperator('DELETE', `/users/${gone.userId}`);
  const loggedOut = await makeHousehold(stack, 'logged-out');
  await stack.call('POST', '/auth/logout', { body: { refresh_token: loggedOut.refreshToken } });
  const newKey = async () => (await stack.asOperator('POST', `/users/${ours.userId}/api-keys`, {})).body;
  const [revoked, over] = [await newKey(), await newKey()];
  await stack.asOperator('DELETE', `/users/${ours.userId}/api-keys/${revoked['key_id']}`);
  await stack.database.query('update api_keys set expires_at = now() where id = $1', [over['key_id']]);
  const now = Math.floor(Date.now() / 1000);
  assert.equal((await stack.call('GET', '/me', { token: await resigned(ours.login, { exp: now + 60 }) })).status, 200);
  const [head, claims] = ours.login.split('.');
  const unsigned = Buffer.from(JSON.stringify({ alg: 'none', kid: decodeProtectedHeader(ours.login).kid }));
  await callAll(
    ours,
    {
      nothing: undefined,
      'something wrong': 'x'.repeat(40),
      'a key that does not exist': `tnx_live_${'A'.repeat(43)}`,
      'a revoked key': revoked['api_key'] as string,
      'a key that is over': over['api_key'] as string,
      'a relay token': relay.registration.token,
      'a ticket': ours.ticket,
      'a refresh token': ours.refreshToken,
      'an access token that has expired': await resigned(ours.login, { iat: now - 1000, exp: now - 100 }),
      'an access token for somebody else': await resigned(ours.login, { aud: 'another-api' }),
      "an access token of another's log-in": await resigned(ours.login, { sub: String(theirs.userId) }),
      'an access token without signature': `${unsigned.toString('base64url')}.${claims}.`,
      'an access token with a wrong signature': `${head}.${claims}.${'A'.repeat(86)}`,
      'the access token of a log-in that has ended': loggedOut.login,
      "a disabled user's key": asleep.token,
      "a disabled user's log-in": asleep.login,
      "a deleted user's key": gone.token,
      "a deleted user's log-in": gone.login,
      "a deleted user's agent": gone.agentToken,
    },
    (answer, _, what) => assertRefused(answer, what, [401, 'unauthenticated']),
  );
  const agents = { "a disabled user's agent": asleep.agentToken };
  await callAll(asleep, agents, (answer, _, what) => assertRefused(answer, what, [403, 'client_disabled']));
});

test('only log-ins need no credential, and a wrong one of theirs opens nothing', async () => {
  const wrong: Record<string, { body: unknown; status: number }> = {
    'POST /auth/login': { body: { login: 'ours', password: 'wrong password' }, status: 401 },
    'POST /auth/refresh': { body: { refresh_token: 'tnx_refresh_wrong' }, status: 401 },
    'POST /auth/logout': { body: { refresh_token: 'tnx_refresh_wrong' }, status: 204 },
  };
  assert.deepEqual(open.map(({ name }) => name).sort(), Object.keys(wrong).sort());
  const { audit_log: _, ...unchanged } = await snapshot(stack);
  for (const { method, template, name } of open) {
    const { body, status } = wrong[name] ?? { body: undefined, status: 0 };
    for (const token of [undefined, theirs.token, OPERATOR_KEY]) {
      const answer = await stack.call(method, template, { token, body });
      assert.equal(answer.status, status, name);
      for (const mark of ours.marks) assert.ok(!JSON.stringify(answer.body).includes(mark), name);
    }
  }
  const { audit_log: __, ...afterwards } = await snapshot(stack);
  assert.deepEqual(afterwards, unchanged);
});

test('a key opens what one of its scopes is for, and nothing else', async () => {
  const scopes = new Set(operations.flatMap((operation) => operation.scopes));
  assert.ok(scopes.size > 12, [...scopes].join(' '));
  for (const { name, method, scopes: its } of operations) {
    assert.ok(its.includes(method === 'GET' ? 'read' : 'write'), name);
  }
  for (const scope of scopes) {
    const made = await stack.call('POST', `/users/${ours.userId}/api-keys`, {
      ...{ token: ours.token, body: { scopes: [scope] } },
    });
    assert.equal(made.status, 201);
    // What belongs to no area is open to every key that may read (or write) anything.
    const access = scope.split(':').at(-1) ?? '';
    const closed = operations.filter(
      ({ scopes: its }) => !its.includes(scope) && !(its.length === 1 && its[0] === access),
    );
    assert.ok(closed.length > 20, scope);
    await callAll(
      ours,
      { [`the scope ${scope}`]: made.body['api_key'] as string },
      (answer, _, what) => assertRefused(answer, what, [403, 'forbidden']),
      closed,
    );
  }
});

test('a key cannot make one that may do more', async () => {
  const keyWith = async (token: string, scopes: string[]) =>
    stack.call('POST', `/users/${ours.userId}/api-keys`, { token, body: { scopes } });
  const keyOf = async (scopes: string[]) => (await keyWith(ours.token, scopes)).body['api_key'] as string;
  const table: [string[], string[], number][] = [
    [['write'], ['clients:write', 'account:write'], 201],
    [['write'], ['write'], 201],
    [['write'], ['clients:read'], 403],
    [['write'], ['read'], 403],
    [['account:write'], ['account:write'], 201],
    [['account:write'], ['write'], 403],
    [['account:write'], ['clients:write'], 403],
    [['account:write', 'read'], ['clients:read', 'read'], 201],
    [['account:write', 'account:read'], ['account:write', 'stats:read'], 403],
  ];
  for (const [own, wanted, status] of table) {
    const answer = await keyWith(await keyOf(own), wanted);
    assert.equal(answer.status, status, `${own.join(' ')} makes ${wanted.join(' ')}`);
  }
});

/** Operations on what is somebody's. */
function aimed(): Operation[] {
  return operations.filter(({ name }) => !UNAIMED.has(name));
}

test("no operation reads or changes what is another tenant's, or another team's", async () => {
  const strangers = {
    'a key': theirs.token,
    'a log-in': theirs.login,
    'an agent': theirs.agentToken,
    "an agent of a team's": theirs.team.agentToken,
    'an anonymous agent': anonymous.token,
    "a team's viewer": theirs.viewer,
  };
  await callAll(
    ours,
    strangers,
    (answer, operation, what) => assertBlind(answer, operation, what, ours.marks),
    aimed(),
  );
  const marks = [...ours.team.marks, 'ours-crew'];
  await callAll(ourTeam, strangers, (answer, operation, what) => assertBlind(answer, operation, what, marks), aimed());
});

test("a viewer of the team sees what is the team's, changes nothing, and sees nothing that its owner has alone", async () => {
  const viewer = { 'the viewer': ours.viewer };
  const marks = ours.marks.filter((mark) => mark !== String(ours.userId));
  await callAll(
    ours,
    viewer,
    (answer, operation, what) => {
      // The team itself is both.
      if (operation.template.startsWith('/namespaces')) return;
      assertBlind(answer, operation, what, marks);
    },
    aimed(),
  );
  await callAll(
    ourTeam,
    viewer,
    (answer, operation, what) => {
      const { method, name } = operation;
      if (method !== 'GET') return assertClosed(answer, operation, what);
      if (/\{(?:client|mapping|domain|namespace)_id\}/.test(name)) assert.equal(answer.status, 200, what);
      for (const mark of marks) assert.ok(!JSON.stringify(answer.body).includes(mark), `${what} tells ${mark}`);
    },
    aimed(),
  );
});

test("an agent's credential neither reads nor changes what its siblings alone have, in a team or not", async () => {
  // The mapping is the sibling's as well: it is its source.
  const own = new Set([
    'POST /mappings',
    ...operations.map(({ name }) => name).filter((name) => /\{mapping_id\}/.test(name)),
  ]);
  const foreign = operations.filter(({ name }) => !own.has(name));
  for (const victim of [ours, ourTeam]) {
    await callAll(
      victim,
      { 'a sibling': victim.siblingToken },
      (answer, operation, what) => {
        if (answer.status !== 200 || operation.method !== 'GET') {
          return assertClosed(answer, operation, what);
        }
        for (const mark of ['ours-web', 'ours-team-web']) {
          assert.ok(!JSON.stringify(answer.body).includes(mark), `${what} tells ${mark}`);
        }
      },
      foreign,
    );
  }
  const acrossTheBorder = { 'an agent of its team': ours.team.agentToken };
  const marks = ours.marks.filter((mark) => mark !== String(ours.userId) && !mark.includes('@'));
  await callAll(ours, acrossTheBorder, (answer, operation, what) => {
    if (answer.status !== 200 || operation.method !== 'GET') {
      return assertClosed(answer, operation, what);
    }
    for (const mark of marks) assert.ok(!JSON.stringify(answer.body).includes(mark), `${what} tells ${mark}`);
  });
});

test('an agent cannot give its name to a sibling', async () => {
  const unchanged = await snapshot(stack);
  const body = { client_id: ours.siblingId };
  const given = await stack.call('PUT', `/domains/${ours.domainId}`, { token: ours.agentToken, body });
  assert.deepEqual([given.status, given.body['code']], [404, 'not_found']);
  assert.deepEqual(await snapshot(stack), unchanged);
});

test('the relay interface takes only the token of a relay', async () => {
  const calls: [string, string, unknown?][] = [
    ['GET', '/session'],
    ['POST', '/attach', { clients: [] }],
    ['POST', '/detach', { clients: [] }],
    ['GET', `/lookup?endpoint=${ours.host}`],
    ['POST', '/connections', { connections: [] }],
    ['POST', '/usage', { incarnation: relay.registration.incarnation, sequence: 1, entries: [] }],
    ['GET', '/keys'],
    ['GET', '/peers'],
  ];
  for (const [method, path, body] of calls) {
    for (const token of [undefined, OPERATOR_KEY, ours.token, ours.agentToken, ours.ticket]) {
      const answer = await stack.call(method, `//relay/v1${path}`, { token, body });
      assert.deepEqual([answer.status, answer.body['code']], [401, 'unauthenticated'], `${method} ${path}`);
    }
  }
});

test('the agent interface gives a configuration to the client itself, and a session to who has its credential', async () => {
  for (const token of [undefined, OPERATOR_KEY, ours.token, ours.ticket, relay.registration.token]) {
    const answer = await stack.call('GET', '//agent/v1/config', { token });
    assert.equal(answer.status, 401);
  }
  const session = { agent_version: 'test', protocol: 1, client_id: ours.clientId };
  const refused: [string | undefined, number][] = [
    [undefined, 422],
    [theirs.token, 404],
    [ours.viewer, 404],
    [ours.siblingToken, 403],
    [OPERATOR_KEY, 403],
    [relay.registration.token, 401],
  ];
  for (const [token, status] of refused) {
    assert.equal((await stack.call('POST', '//agent/v1/session', { token, body: session })).status, status);
  }
});

test('the log has no credential, no hash and no value of a statement, also when the database fails', async () => {
  const known = [
    ours.token,
    ours.login,
    ours.refreshToken,
    ours.agentToken,
    ours.ticket,
    relay.registration.token,
    OPERATOR_KEY,
  ];
  await stack.cutDatabase();
  const password = 'correct horse battery staple';
  const email = 'logged-not@customer.example';
  const body = { username: 'logged-not', email, password };
  assert.equal((await stack.asOperator('POST', '/users', body)).status, 503);
  const all = stack.logLines.join('\n');
  assert.ok(all.includes('A request failed'));
  for (const secret of [...known, password, email, '$scrypt$', 'params:']) assert.ok(!all.includes(secret), secret);
});
