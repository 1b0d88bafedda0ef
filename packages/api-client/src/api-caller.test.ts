import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiCaller, type Call } from './api-caller.ts';
import { ApiError } from './api-error.ts';
import type { HttpRequest } from './http-transport.ts';

interface Scripted {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}

function scripted(answers: (Scripted | Error)[]) {
  const requests: { url: string; request: HttpRequest }[] = [];
  const waits: number[] = [];
  const caller = new ApiCaller(
    {
      transport: async (url, request) => {
        requests.push({ url, request });
        const next = answers.shift();
        assert.ok(next !== undefined, 'an answer for every request');
        if (next instanceof Error) throw next;
        const text =
          typeof next.body === 'string' ? next.body : next.body === undefined ? '' : JSON.stringify(next.body);
        return { status: next.status, headers: new Headers(next.headers), text: async () => text };
      },
      wait: async (delayMs) => void waits.push(delayMs),
    },
    { server: 'https://api.example.com/', userAgent: 'tunnox/1' },
  );
  return { caller, requests, waits };
}

const get: Call<unknown> = {
  method: 'GET',
  path: '/api/v1/me',
  bearer: 'secret',
  repeat: 'safe',
  parse: (body) => body,
};
const create: Call<unknown> = { ...get, method: 'POST', body: { a: 1 }, repeat: 'by_key' };

test('ApiCaller.call() sends credential, agent and JSON, and parses the answer', async () => {
  const { caller, requests } = scripted([{ status: 201, body: { id: 7 } }]);
  assert.equal(await caller.call({ ...create, parse: (body) => (body as { id: number }).id }), 7);
  const [sent] = requests;
  assert.equal(sent?.url, 'https://api.example.com/api/v1/me');
  assert.equal(sent?.request.headers['authorization'], 'Bearer secret');
  assert.equal(sent?.request.headers['user-agent'], 'tunnox/1');
  assert.equal(sent?.request.body, '{"a":1}');
});

test('ApiCaller.call() throws the problem document as ApiError', async () => {
  const { caller } = scripted([
    {
      status: 409,
      body: {
        type: 'about:blank',
        title: 'Taken',
        status: 409,
        detail: 'foo is taken',
        code: 'subdomain_taken',
        request_id: 'r1',
        domain_id: 17,
      },
    },
  ]);
  await assert.rejects(caller.call(get), (error) => {
    assert.ok(error instanceof ApiError);
    assert.equal(error.code, 'subdomain_taken');
    assert.equal(error.status, 409);
    assert.equal(error.detail, 'foo is taken');
    assert.equal(error.requestId, 'r1');
    assert.equal(error.retryable, false);
    assert.deepEqual(error.members, { domain_id: 17 });
    return true;
  });
});

test('ApiCaller.call() repeats a create with one and the same Idempotency-Key', async () => {
  const { caller, requests, waits } = scripted([new Error('reset'), { status: 503 }, { status: 201, body: {} }]);
  await caller.call(create);
  const keys = requests.map(({ request }) => request.headers['idempotency-key']);
  assert.equal(new Set(keys).size, 1);
  assert.match(keys[0] ?? '', /^[0-9a-f-]{36}$/);
  assert.deepEqual(waits, [250, 500]);
});

test('ApiCaller.call() waits as long as Retry-After says', async () => {
  const { caller, waits } = scripted([
    { status: 429, body: { code: 'rate_limited' }, headers: { 'retry-after': '2' } },
    { status: 200, body: {} },
  ]);
  await caller.call(get);
  assert.deepEqual(waits, [2000]);
});

test('ApiCaller.call() leaves a long Retry-After to its caller', async () => {
  const { caller } = scripted([{ status: 429, body: { code: 'rate_limited' }, headers: { 'retry-after': '60' } }]);
  await assert.rejects(caller.call(get), { code: 'rate_limited', retryAfterS: 60 });
});

test('ApiCaller.call() gives up after three tries', async () => {
  const { caller, requests } = scripted([new Error('a'), new Error('b'), new Error('c')]);
  await assert.rejects(caller.call(get), { code: 'unreachable', status: null, detail: /Cannot reach .*: c/ });
  assert.equal(requests.length, 3);
});

test('ApiCaller.call() tries once what may not be repeated', async () => {
  const { caller, requests } = scripted([new Error('a')]);
  await assert.rejects(caller.call({ ...create, repeat: 'never' }), { code: 'unreachable' });
  assert.equal(requests.length, 1);
  assert.equal(requests[0]?.request.headers['idempotency-key'], undefined);
});

test('ApiCaller.call() repeats nothing that the API has refused', async () => {
  const { caller, requests } = scripted([{ status: 404, body: { code: 'not_found', title: 'Not found' } }]);
  await assert.rejects(caller.call(get), { code: 'not_found', detail: 'Not found' });
  assert.equal(requests.length, 1);
});

test('ApiCaller.call() says that the address is wrong when something else answers', async () => {
  const { caller } = scripted([
    { status: 404, body: '<html>' },
    { status: 404, body: '<html>' },
    { status: 404, body: '<html>' },
  ]);
  await assert.rejects(caller.call(get), { code: 'bad_answer', status: 404, detail: /check the address/ });
});

test('ApiCaller.call() says that a relay is not the control plane, whatever problem document it answers', async () => {
  const headers = { 'tunnox-error': 'not_found' };
  const { caller, requests } = scripted([{ status: 404, body: { code: 'not_found', title: 'No such name' }, headers }]);
  await assert.rejects(caller.call(get), {
    code: 'bad_answer',
    status: 404,
    detail: "https://api.example.com is where visitors come to a relay, not the control plane's address",
  });
  assert.equal(requests.length, 1);
});

test('ApiCaller.call() says when the certificate is not trusted, without advice for those who start Node', async () => {
  const refused = Object.assign(
    new Error('self-signed certificate; if the root CA is installed locally, try running Node.js with --use-system-ca'),
    { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
  );
  const { caller } = scripted([new TypeError('fetch failed', { cause: refused })]);
  await assert.rejects(caller.call({ ...get, repeat: 'never' }), {
    code: 'server_untrusted',
    status: null,
    detail: 'The certificate of https://api.example.com is not trusted: self-signed certificate',
  });
});

test('ApiCaller.call() reports an answer of the wrong shape', async () => {
  const { caller } = scripted([{ status: 200, body: {} }]);
  const parse = () => {
    throw new Error('shape');
  };
  await assert.rejects(caller.call({ ...get, repeat: 'never', parse }), { code: 'bad_answer', status: 200 });
});

test('ApiCaller.call() ends with the signal', async () => {
  const controller = new AbortController();
  const caller = new ApiCaller(
    {
      transport: (_url, request) =>
        new Promise((_resolve, reject) => {
          request.signal.addEventListener('abort', () => reject(request.signal.reason));
          controller.abort();
        }),
    },
    { server: 'https://api.example.com', userAgent: 'tunnox/1' },
  );
  await assert.rejects(caller.call({ ...get, signal: controller.signal }), { code: 'timeout' });
});
