import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { exportJWK, flattenedVerify, generateKeyPair } from 'jose';
import { AcmeClient, type AcmeSigner } from './acme-client.ts';
import { AcmeError, acmeErrorOf } from './acme-error.ts';

const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
const publicJwk = await exportJWK(publicKey);
const signer: AcmeSigner = { privateKey, publicJwk, accountUrl: 'https://ca.example/account/1' };
const DIRECTORY = {
  newNonce: 'https://ca.example/nonce',
  newAccount: 'https://ca.example/account',
  newOrder: 'https://ca.example/order',
};
const ORDER = {
  status: 'pending',
  authorizations: ['https://ca.example/authorization/1'],
  finalize: 'https://ca.example/finalize/1',
};

interface Sent {
  url: string;
  init: RequestInit;
}

/** A client whose calls beyond directory and nonce are answered by `answer`. */
function clientWith(answer: (sent: Sent, count: number) => Response | Promise<Response>) {
  const sent: Sent[] = [];
  let nonces = 0;
  let nowMs = 0;
  const withNonce = (response: Response) => {
    nonces += 1;
    response.headers.set('replay-nonce', `nonce${nonces}`);
    return response;
  };
  const client = new AcmeClient(
    {
      fetch: async (url, init) => {
        if (url === 'https://ca.example/directory') return Response.json(DIRECTORY);
        if (url === DIRECTORY.newNonce) return withNonce(new Response(null));
        sent.push({ url, init });
        return withNonce(await answer({ url, init }, sent.length));
      },
      now: () => nowMs,
    },
    'https://ca.example/directory',
  );
  return { client, sent, advance: (ms: number) => (nowMs += ms) };
}

const problem = (status: number, type: string, detail = 'no', headers: Record<string, string> = {}) =>
  Response.json({ type: `urn:ietf:params:acme:error:${type}`, detail }, { status, headers });
const order = () => Response.json(ORDER, { status: 201, headers: { location: 'https://ca.example/order/1' } });

test('AcmeClient signs what it sends, with the account or, for a new one, with the key', async () => {
  const { client, sent } = clientWith(({ url }) =>
    url === DIRECTORY.newAccount
      ? Response.json({}, { status: 201, headers: { location: 'https://ca.example/account/7' } })
      : order(),
  );
  assert.equal(
    await client.account({ ...signer, accountUrl: null }, ['mailto:a@b.example']),
    'https://ca.example/account/7',
  );
  await client.newOrder(signer, ['*.example.com']);
  const headers: Record<string, unknown>[] = await Promise.all(
    sent.map(async ({ url, init }) => {
      const jws = JSON.parse(init.body as string) as Parameters<typeof flattenedVerify>[0];
      const { protectedHeader, payload } = await flattenedVerify(jws, publicKey);
      assert.equal(protectedHeader?.['url'], url);
      return {
        ...(protectedHeader as Record<string, unknown>),
        payload: JSON.parse(Buffer.from(payload).toString()) as unknown,
      };
    }),
  );
  assert.deepEqual(headers[0]?.['jwk'], publicJwk);
  assert.deepEqual(headers[0]?.['payload'], { termsOfServiceAgreed: true, contact: ['mailto:a@b.example'] });
  assert.equal(headers[1]?.['kid'], signer.accountUrl);
  assert.deepEqual(headers[1]?.['payload'], { identifiers: [{ type: 'dns', value: '*.example.com' }] });
  assert.notEqual(headers[0]?.['nonce'], headers[1]?.['nonce']);
});

test('AcmeClient comes again with the nonce of a refusal, a few times', async () => {
  const { client, sent } = clientWith((_, count) => (count < 4 ? problem(400, 'badNonce') : order()));
  await client.newOrder(signer, ['a.example']);
  assert.equal(sent.length, 4);
  const always = clientWith(() => problem(400, 'badNonce'));
  await assert.rejects(always.client.newOrder(signer, ['a.example']), AcmeError);
  assert.equal(always.sent.length, 6);
});

test('AcmeClient tells refusals, rate limits and outages apart', async () => {
  const cases: [Response | Error, string, number | null][] = [
    [problem(403, 'rejectedIdentifier'), 'refused', null],
    [problem(429, 'rateLimited', 'slow', { 'retry-after': '77' }), 'rate_limited', 77],
    [problem(403, 'rateLimited', 'slow'), 'rate_limited', 3600],
    [problem(503, 'serverInternal', 'down', { 'retry-after': '5' }), 'unreachable', 5],
    [new Response('<html>', { status: 502 }), 'unreachable', null],
    [new Response(null, { status: 302, headers: { location: 'http://127.0.0.1/' } }), 'refused', null],
    [new Response('not json', { status: 201, headers: { location: 'x' } }), 'unreachable', null],
    [Response.json(ORDER, { status: 201 }), 'unreachable', null],
    [new TypeError('connection refused'), 'unreachable', null],
  ];
  for (const [answer, kind, retryAfterS] of cases) {
    const { client } = clientWith(() => {
      if (answer instanceof Error) throw answer;
      return answer;
    });
    await assert.rejects(client.newOrder(signer, ['a.example']), (error) => {
      assert.ok(error instanceof AcmeError);
      assert.deepEqual([error.kind, error.retryAfterS], [kind, retryAfterS]);
      return true;
    });
  }
});

test('AcmeClient follows no answer from https to something else, and takes no more than an authority has to say', async () => {
  const { client, sent } = clientWith(() => order());
  await assert.rejects(client.order(signer, 'http://169.254.169.254/latest'), AcmeError);
  assert.equal(sent.length, 0);
  const large = clientWith(() => new Response('x'.repeat(300 * 1024)));
  await assert.rejects(large.client.certificate(signer, 'https://ca.example/certificate/1'), /too much/);
});

test('AcmeClient reads the directory again after an hour', async () => {
  let reads = 0;
  let nowMs = 0;
  const client = new AcmeClient(
    { fetch: async () => ((reads += 1), Response.json(DIRECTORY)), now: () => nowMs },
    'https://ca.example/directory',
  );
  await client.caaIdentities();
  await client.caaIdentities();
  nowMs = 3_700_000;
  await client.caaIdentities();
  assert.equal(reads, 2);
});

test('AcmeClient answers whatever an authority sends with an object that is right, or with AcmeError', async () => {
  const near = fc.oneof(
    fc.constantFrom('pending', 'valid', 'ready', 'http-01', 'https://ca.example/x', 'abcdefghijklmnopqrst'),
    fc.jsonValue(),
  );
  const shape = fc.record(
    {
      status: near,
      authorizations: fc.oneof(near, fc.array(near)),
      finalize: near,
      certificate: near,
      error: near,
      identifier: fc.oneof(near, fc.record({ type: near, value: near })),
      challenges: fc.oneof(
        near,
        fc.array(fc.record({ type: near, url: near, token: near, status: near, error: near })),
      ),
    },
    { requiredKeys: [] },
  );
  const calls = ['order', 'authorization', 'answer', 'certificate'] as const;
  await fc.assert(
    fc.asyncProperty(fc.oneof(shape, fc.jsonValue()), fc.constantFrom(...calls), async (json, call) => {
      const { client } = clientWith(() => Response.json(json));
      try {
        const read = await client[call](signer, 'https://ca.example/x');
        assert.ok(read !== null && read !== undefined);
      } catch (error) {
        assert.ok(error instanceof AcmeError, String(error));
      }
    }),
    { numRuns: 300 },
  );
});

test('acmeErrorOf() makes a bounded sentence of any problem', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 300, max: 599 }),
      fc.option(fc.string(), { nil: null }),
      fc.oneof(
        fc.jsonValue(),
        fc.record({ type: fc.string(), detail: fc.string({ maxLength: 5000 }), subproblems: fc.array(fc.jsonValue()) }),
      ),
      (status, retryAfter, body) => {
        const error = acmeErrorOf(status, retryAfter, body, 0);
        assert.ok(error.message.length > 0 && error.message.length <= 1000);
        assert.ok(!/\p{Cc}/u.test(error.message));
        assert.ok(error.retryAfterS === null || (error.retryAfterS >= 0 && error.retryAfterS <= 7 * 86_400));
      },
    ),
  );
  const dated = acmeErrorOf(429, 'Thu, 01 Jan 1970 00:02:00 GMT', {}, 60_000);
  assert.equal(dated.retryAfterS, 60);
});
