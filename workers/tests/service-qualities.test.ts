import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { OPERATOR_KEY, TestStack } from './test-stack.ts';

const CONSOLE = 'https://console.example.com';

let stack: TestStack;
before(async () => {
  stack = await TestStack.start({ CORS_ORIGINS: `${CONSOLE},http://localhost:5173` });
});
after(() => stack.stop());

test('a method that a path does not have is 405, and Allow tells those that it has', async () => {
  for (const [method, path, allow] of [
    ['PUT', '/clients', 'GET, HEAD, OPTIONS, POST'],
    ['DELETE', '/me', 'GET, HEAD, OPTIONS'],
    ['PATCH', '/users/100000001', 'DELETE, GET, HEAD, OPTIONS, PUT'],
    ['POST', '/domains/availability', 'GET, HEAD, OPTIONS'],
    ['POST', '//healthz', 'GET, HEAD, OPTIONS'],
    ['DELETE', '//openapi.json', 'GET, HEAD, OPTIONS'],
    ['GET', '//agent/v1/session', 'OPTIONS, POST'],
  ] as const) {
    for (const token of [OPERATOR_KEY, undefined]) {
      const answer = await stack.call(method, path, { token });
      const allowed = answer.headers.get('allow')?.split(', ').sort().join(', ');
      assert.deepEqual([answer.status, answer.body['code'], allowed], [405, 'method_not_allowed', allow], path);
    }
  }
  assert.equal((await stack.asOperator('PUT', '/nothing')).status, 404);
  assert.equal((await stack.asOperator('GET', '/users/1/2/3')).status, 404);
});

test('HEAD answers as GET does, without a body', async () => {
  for (const path of ['/me', '/plans', '/users/1', '//healthz']) {
    const [head, get] = [await stack.call('HEAD', path, { token: OPERATOR_KEY }), await stack.asOperator('GET', path)];
    assert.equal(head.status, get.status);
    assert.equal(head.headers.get('content-type'), get.headers.get('content-type'));
    assert.equal(head.body, null);
  }
});

test('a query parameter that the operation does not have is refused by its name', async () => {
  const answer = await stack.asOperator('GET', '/clients?limit=5&statsu=online&a%2Fb=1');
  assert.equal(answer.status, 422);
  assert.deepEqual(
    (answer.body['errors'] as { pointer: string }[]).map(({ pointer }) => pointer),
    ['/query/statsu', '/query/a~1b'],
  );
  assert.match(answer.body['detail'] as string, /limit/);
  assert.equal((await stack.asOperator('GET', '/plans?x=1')).status, 422);
  assert.equal((await stack.asOperator('POST', '/users?x=1', {})).status, 422);
  assert.equal((await stack.call('GET', '/clients?statsu=1')).status, 401, 'first of all: who asks');
});

test('OPTIONS and the preflight of a page need no credential', async () => {
  const plain = await stack.call('OPTIONS', '/../../agent/v1/config');
  assert.deepEqual([plain.status, plain.headers.get('allow')], [204, 'GET, HEAD, OPTIONS']);
  const preflight = await stack.call('OPTIONS', '/clients', {
    headers: {
      origin: CONSOLE,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type,idempotency-key,if-match',
    },
  });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers.get('access-control-allow-origin'), CONSOLE);
  assert.match(preflight.headers.get('access-control-allow-methods') ?? '', /DELETE/);
  for (const name of ['authorization', 'content-type', 'idempotency-key', 'if-match']) {
    assert.match(preflight.headers.get('access-control-allow-headers')?.toLowerCase() ?? '', new RegExp(name));
  }
});

test('pages of the configured origins may read answers and our headers, others may not', async () => {
  const ask = (origin: string, token?: string) => stack.call('GET', '/me', { token, headers: { origin } });
  for (const answer of [await ask(CONSOLE, OPERATOR_KEY), await ask(CONSOLE)]) {
    assert.equal(answer.headers.get('access-control-allow-origin'), CONSOLE);
    const exposed = answer.headers.get('access-control-expose-headers')?.toLowerCase() ?? '';
    for (const name of ['x-request-id', 'ratelimit', 'retry-after', 'etag', 'idempotency-replayed']) {
      assert.ok(exposed.includes(name), name);
    }
    assert.match(answer.headers.get('vary') ?? '', /origin/i);
    assert.equal(answer.headers.get('access-control-allow-credentials'), null);
  }
  for (const origin of ['https://evil.example', 'https://console.example.com.evil.example', 'null']) {
    assert.equal((await ask(origin, OPERATOR_KEY)).headers.get('access-control-allow-origin'), null, origin);
  }
});

test('without configured origins no page may read anything', async () => {
  const closed = await TestStack.start();
  try {
    const answer = await closed.call('GET', '/me', { token: OPERATOR_KEY, headers: { origin: CONSOLE } });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('access-control-allow-origin'), null);
  } finally {
    await closed.stop();
  }
});

test('bodies must be JSON, of a bounded size, and told to be JSON', async () => {
  const send = (body: string, headers: Record<string, string>) =>
    stack.call('POST', '/clients', { token: OPERATOR_KEY, body, headers });
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
    assert.equal((await send('{}', { 'content-type': type })).body['code'], 'unsupported_media_type', type);
  }
  assert.equal((await send('{', { 'content-type': 'application/json' })).body['code'], 'malformed');
  assert.equal((await send('{}', { 'content-type': 'Application/JSON; charset=utf-8' })).status, 422);
  const large = await send(JSON.stringify({ client_name: 'x'.repeat(300_000) }), {});
  assert.deepEqual([large.status, large.body['code']], [413, 'too_large']);
});

test('answers carry the headers that keep pages away, and over HTTPS that it must stay so', async () => {
  for (const path of ['/me', '//healthz', '//openapi.json', '/nothing']) {
    const { headers } = await stack.asOperator('GET', path);
    assert.match(headers.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/, path);
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.equal(headers.get('x-frame-options'), 'DENY');
    assert.match(headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/);
    assert.equal(headers.get('referrer-policy'), 'no-referrer');
    assert.equal(headers.get('strict-transport-security'), null, 'this was not HTTPS');
  }
});

test('the log tells each request once, without credentials, queries and bodies', async () => {
  const { token } = await stack.newUser('logged');
  const marker = 'secretquery';
  const answer = await stack.call('GET', `/clients?cursor=${marker}`, { token });
  const id = answer.headers.get('x-request-id');
  const lines = stack.logLines.filter((line) => line.includes(id ?? '?'));
  assert.equal(lines.length, 1, lines.join('\n'));
  const { method, path, status, principal } = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
  assert.deepEqual([method, path, status], ['GET', '/api/v1/clients', 422]);
  assert.match(String(principal), /^user:/);
  const all = stack.logLines.join('\n');
  for (const secret of [marker, token, OPERATOR_KEY]) assert.ok(!all.includes(secret));
});
