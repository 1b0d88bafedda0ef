import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, test } from 'node:test';
import { type Answer, OPERATOR_KEY, TestStack } from './test-stack.ts';

let stack: TestStack;
before(async () => {
  stack = await TestStack.start();
});
after(() => stack.stop());

test('/healthz and /readyz answer without a credential', async () => {
  for (const path of ['//healthz', '//readyz']) {
    const answer = await stack.call('GET', path);
    assert.equal(answer.status, 200, path);
    assert.deepEqual(answer.body, { status: 'ok' });
  }
});

test('/api/v1 answers 401 with a problem document to no, wrong and malformed credentials', async () => {
  const wrong = [undefined, '', 'x', 'tnx_live_none', 'a.b.c', `${OPERATOR_KEY}x`, OPERATOR_KEY.slice(0, -1), '\u00e9'];
  for (const token of wrong) {
    const headers = token === undefined ? {} : { authorization: `Bearer ${Buffer.from(token).toString('latin1')}` };
    const { status, body, headers: answered } = await stack.call('GET', '/users', { headers });
    assert.equal(status, 401, token);
    assert.equal(body['code'], 'unauthenticated');
    assert.equal(answered.get('www-authenticate'), 'Bearer');
    assert.equal(answered.get('content-type'), 'application/problem+json');
    assert.equal(body['request_id'], answered.get('x-request-id'));
  }
});

test('/api/v1 refuses a token that another key has signed', async () => {
  const { token } = await stack.newAnonymous();
  const [head, claims] = token.split('.');
  const forged = [
    `${head}.${claims}.${'A'.repeat(86)}`,
    `${Buffer.from('{"alg":"none"}').toString('base64url')}.${claims}.`,
    `${Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')}.${claims}.AA`,
  ];
  for (const one of forged) assert.equal((await stack.call('GET', '/me', { token: one })).status, 401);
  assert.equal((await stack.call('GET', '/me', { token })).status, 200);
});

test('API keys work within their scopes, and not when revoked or ended', async () => {
  const { userId, token } = await stack.newUser('scopes');
  const reader = await stack.call('POST', `/users/${userId}/api-keys`, {
    token,
    body: { name: 'r', scopes: ['read'] },
  });
  assert.equal(reader.status, 201);
  const key = reader.body['api_key'];
  assert.match(key, /^tnx_live_[A-Za-z0-9_-]{43}$/);
  assert.equal((await stack.call('GET', '/me', { token: key })).status, 200);
  const refused = await stack.call('POST', '/clients', { token: key, body: { client_name: 'x' } });
  assert.deepEqual([refused.status, refused.body['code']], [403, 'forbidden']);

  const writer = await stack.call('POST', `/users/${userId}/api-keys`, { token, body: { scopes: ['write'] } });
  const more = { token: writer.body['api_key'], body: { scopes: ['read', 'write'] } };
  assert.equal((await stack.call('POST', `/users/${userId}/api-keys`, more)).body['code'], 'forbidden');

  const listed = await stack.call('GET', `/users/${userId}/api-keys`, { token });
  assert.equal(listed.body['api_keys'].length, 3);
  assert.ok(!JSON.stringify(listed.body).includes(key));

  const ids: number[] = [];
  for (let cursor: string | null = 'a0'; cursor !== null;) {
    const page: Answer = await stack.call('GET', `/users/${userId}/api-keys?limit=2&cursor=${cursor}`, { token });
    assert.equal(page.body['total'], 3);
    ids.push(...(page.body['api_keys'] as { key_id: number }[]).map(({ key_id }) => key_id));
    cursor = page.body['next_cursor'] as string | null;
  }
  assert.deepEqual(
    ids,
    listed.body['api_keys'].map(({ key_id }: { key_id: number }) => key_id),
  );

  const path = `/users/${userId}/api-keys/${reader.body['key_id']}`;
  assert.equal((await stack.call('DELETE', path, { token })).status, 204);
  assert.equal((await stack.call('DELETE', path, { token })).status, 404);
  assert.equal((await stack.call('GET', '/me', { token: key })).status, 401);

  const past = { token, body: { expires_at: '2020-01-01T00:00:00Z' } };
  assert.equal((await stack.call('POST', `/users/${userId}/api-keys`, past)).status, 422);
  await stack.database.query('update api_keys set expires_at = now() where id = $1', [writer.body['key_id']]);
  assert.equal((await stack.call('GET', '/me', { token: writer.body['api_key'] })).status, 401);
});

test('a user has so many keys at once, also when they are made at the same moment', async () => {
  const { userId, token } = await stack.newUser('keyring');
  await stack.database.query(
    `insert into api_keys (user_id, name, prefix, hash, scopes)
     select $1::bigint, 'k', 'tnx_live_x', 'other ' || n, '{read}' from generate_series(1, 195) n`,
    [userId],
  );
  const path = `/users/${userId}/api-keys`;
  const made = await Promise.all(Array.from({ length: 8 }, () => stack.call('POST', path, { token, body: {} })));
  const refused = made.filter(({ status }) => status !== 201);
  assert.equal(refused.length, 4);
  for (const { status, body } of refused) {
    assert.deepEqual([status, body['code'], body['limit'], body['current']], [403, 'quota_exceeded', 200, 200]);
  }
  const { key_id: first } = made.find(({ status }) => status === 201)?.body ?? assert.fail();
  await stack.call('DELETE', `${path}/${first}`, { token });
  assert.equal((await stack.call('POST', path, { token, body: {} })).status, 201);
});

test('keys of a disabled user do not work until it is enabled', async () => {
  const { userId, token } = await stack.newUser('sleeper');
  await stack.asOperator('PUT', `/users/${userId}`, { status: 'disabled' });
  assert.equal((await stack.call('GET', '/me', { token })).status, 401);
  await stack.asOperator('PUT', `/users/${userId}`, { status: 'active' });
  assert.equal((await stack.call('GET', '/me', { token })).status, 200);
});

test('the API answers only under its host names', async () => {
  const statusFor = (host: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      request(`${stack.url}/healthz`, { headers: { host } }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      })
        .on('error', reject)
        .end();
    });
  assert.equal(await statusFor('localhost:9000'), 200);
  for (const host of ['rebound.example', '127.0.0.1.nip.example', 'localhost.rebound.example']) {
    assert.equal(await statusFor(host), 403, host);
  }
});

test('bodies must be JSON of a bounded size', async () => {
  const token = OPERATOR_KEY;
  const post = (body: string, type = 'application/json') =>
    stack.call('POST', '/users', { token, body, headers: { 'content-type': type } });
  const codes: [string, string, number, string][] = [
    ['{', 'application/json', 400, 'malformed'],
    ['username=x', 'application/x-www-form-urlencoded', 415, 'unsupported_media_type'],
    ['{}', 'text/plain', 415, 'unsupported_media_type'],
    ['[]', 'application/json', 422, 'invalid'],
    [`{"username":"${'x'.repeat(300_000)}"}`, 'application/json', 413, 'too_large'],
  ];
  for (const [body, type, status, code] of codes) {
    const answer = await post(body, type);
    assert.deepEqual([answer.status, answer.body['code']], [status, code], type + body.slice(0, 20));
  }
  assert.equal((await stack.call('POST', '/users', { token })).status, 422);
});

test('invalid values are named by JSON pointers', async () => {
  const { status, body } = await stack.asOperator('POST', '/users', { username: '-', email: 'no', plan: 'P/~' });
  assert.equal(status, 422);
  assert.equal(body['code'], 'invalid');
  assert.deepEqual(body['errors'].map((fault: { pointer: string }) => fault.pointer).sort(), [
    '/email',
    '/plan',
    '/username',
  ]);
  const query = await stack.asOperator('GET', '/users?limit=101');
  assert.equal(query.body['errors'][0]['pointer'], '/query/limit');
  assert.equal((await stack.asOperator('GET', '/users?cursor=x')).status, 422);
});

test('texts that cannot be stored are invalid, and half a surrogate pair is no failure', async () => {
  const { token } = await stack.newUser('texts');
  const nul = await stack.call('POST', '/clients', { token, body: { client_name: 'a\u0000b' } });
  assert.deepEqual([nul.status, nul.body['code']], [422, 'invalid']);
  const sought = await stack.call('GET', '/clients?q=a%00', { token });
  assert.deepEqual([sought.status, sought.body['code']], [422, 'invalid']);
  // What cannot be an endpoint leads nowhere, like every other name that nobody has.
  for (const endpoint of ['a%00', 'tcp:a%00:1', 'tcp:default:99999', 'a%ffb', '..', 'tcp::']) {
    for (const path of [`/domains/lookup?endpoint=${endpoint}`, `/domains/lookup?host=${endpoint}`]) {
      const asked = await stack.call('GET', path, { token });
      assert.deepEqual([asked.status, asked.body['code']], [404, 'not_found'], path);
    }
  }
  const half = await stack.call('POST', '/clients', { token, body: { client_name: 'a\ud800b' } });
  assert.equal(half.status, 201);
});

test('answers are not to be cached, sniffed or shown in a page', async () => {
  const { headers } = await stack.asOperator('GET', '/plans');
  assert.equal(headers.get('cache-control'), 'no-store');
  assert.equal(headers.get('x-content-type-options'), 'nosniff');
  assert.match(headers.get('content-security-policy') ?? '', /default-src 'none'/);
});

test('unknown paths are 404 problems', async () => {
  assert.equal((await stack.asOperator('GET', '/nothing')).body['code'], 'not_found');
  assert.equal((await stack.call('GET', '//nothing')).body['code'], 'not_found');
  const { status, body } = await stack.asOperator('GET', '/users/abc');
  assert.deepEqual([status, body['errors']], [422, [{ pointer: '/path/user_id', detail: 'must be a whole number' }]]);
});

test('/openapi.json is an OpenAPI 3.1 document of every route', async () => {
  const { status, body } = await stack.call('GET', '//openapi.json');
  assert.equal(status, 200);
  assert.equal(body['openapi'], '3.1.0');
  for (const path of ['/api/v1/users/{user_id}/quota', '/api/v1/domains', '/api/v1/nodes/{node_id}/drain', '/readyz']) {
    assert.ok(path in body['paths'], path);
  }
  assert.equal(body['servers'][0]['url'], '/');
  const operations = Object.values(body['paths'] as Record<string, object>).flatMap((methods) =>
    Object.values(methods),
  );
  const ids = operations.map(({ operationId }: { operationId?: string }) => operationId);
  assert.ok(!ids.includes(undefined));
  assert.equal(new Set(ids).size, ids.length);
  const inPaths = operations
    .flatMap(({ parameters = [] }: { parameters?: { in: string; required: boolean }[] }) => parameters)
    .filter((parameter) => parameter.in === 'path');
  for (const { required } of inPaths) assert.equal(required, true);
  const schemas = Object.keys(body['components']['schemas']);
  for (const name of ['User', 'Client', 'Mapping', 'Domain', 'Problem']) assert.ok(schemas.includes(name), name);
  const text = JSON.stringify(body);
  for (const [, name] of text.matchAll(/#\/components\/schemas\/(\w+)/g)) assert.ok(schemas.includes(name ?? ''), name);
});

test('operations of operators are closed to tenants', async () => {
  const { token, userId } = await stack.newUser('tenant');
  const calls: [string, string, unknown?][] = [
    ['GET', '/users'],
    ['POST', '/users', { username: 'made', email: 'made@customer.example' }],
    ['DELETE', `/users/${userId}`],
    ['POST', `/users/${userId}/quota`, { max_clients: 1000 }],
    ['PUT', `/users/${userId}`, { plan: 'enterprise' }],
    ['PUT', `/users/${userId}`, { status: 'active' }],
    ['GET', '/nodes'],
    ['GET', '/join-tokens'],
    ['POST', '/join-tokens', {}],
    ['DELETE', '/join-tokens/1'],
    ['POST', '/nodes/node-001/drain', {}],
  ];
  for (const [method, path, body] of calls) {
    const answer = await stack.call(method, path, { token, body });
    assert.deepEqual([answer.status, answer.body['code']], [403, 'forbidden'], `${method} ${path}`);
  }
});

test('log lines have the request id and no credential', async () => {
  const { token } = await stack.newUser('logged');
  const { headers } = await stack.call('GET', '/me', { token });
  const line = stack.logLines.find((text) => text.includes(headers.get('x-request-id') ?? '?'));
  assert.ok(line !== undefined);
  const { status, path, principal } = JSON.parse(line) as Record<string, unknown>;
  assert.deepEqual([status, path], [200, '/api/v1/me']);
  assert.match(String(principal), /^user:\d+$/);
  const all = stack.logLines.join('\n');
  assert.ok(!all.includes(token) && !all.includes(OPERATOR_KEY));
});

test('a database that is away is 503 with Retry-After, and /healthz goes on', async () => {
  await stack.cutDatabase();
  for (const path of ['//readyz', '/clients']) {
    const { status, body, headers } = await stack.call('GET', path, { token: OPERATOR_KEY });
    assert.deepEqual([status, body['code'], headers.get('retry-after')], [503, 'unavailable', '2'], path);
  }
  assert.equal((await stack.call('GET', '//healthz')).status, 200);
});
