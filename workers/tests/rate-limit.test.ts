import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { OPERATOR_KEY, TestStack } from './test-stack.ts';

/** One token in a quarter of an hour: no test is so slow that one flows in. */
const SLOW = { RATE_LIMIT_PER_S: '0.001', RATE_LIMIT_BURST: '40', CLIENT_ADDRESS_HEADER: 'x-test-address' };

let stack: TestStack;
before(async () => {
  stack = await TestStack.start(SLOW);
});
after(() => stack.stop());

const from = (address: string, token?: string) =>
  stack.call('GET', '/plans', { token, headers: { 'x-test-address': address } });

/** Members of a list of RateLimit or RateLimit-Policy, by name. */
function parseRates(header: string | null): Record<string, Record<string, number>> {
  assert.ok(header !== null);
  return Object.fromEntries(
    header.split(', ').map((member) => {
      const [name, ...parameters] = member.split(';');
      assert.match(name ?? '', /^"[a-z]+"$/);
      const values = parameters.map((one) => {
        const [key = '', value] = one.split('=');
        assert.match(value ?? '', /^\d+$/);
        return [key, Number(value)];
      });
      return [name?.slice(1, -1), Object.fromEntries(values)];
    }),
  );
}

test('every answer tells the policies, and what is left of each', async () => {
  const answer = await from('192.0.2.1', OPERATOR_KEY);
  assert.equal(answer.status, 200);
  assert.deepEqual(parseRates(answer.headers.get('ratelimit-policy')), {
    address: { q: 40, w: 40_000 },
    principal: { q: 40, w: 40_000 },
  });
  const left = parseRates(answer.headers.get('ratelimit'));
  assert.equal(left['address']?.['r'], 39);
  assert.equal(left['address']?.['t'], 1000);
  const unauthenticated = await from('192.0.2.1');
  assert.equal(unauthenticated.status, 401);
  assert.equal(parseRates(unauthenticated.headers.get('ratelimit'))['address']?.['r'], 38);
});

test('who guesses credentials is limited by address, without reaching the database, and others are not', async () => {
  const answers = await Promise.all(
    Array.from({ length: 60 }, () => from('2001:db8:1:1::1', `tnx_live_${'A'.repeat(43)}`)),
  );
  const refused = answers.filter(({ status }) => status === 429);
  assert.ok(answers.every(({ status }) => status === 401 || status === 429));
  assert.ok(refused.length >= 1 && refused.length <= 20, `${refused.length} were refused`);
  for (const { headers, body } of refused) {
    assert.equal(body['code'], 'rate_limited');
    assert.match(headers.get('retry-after') ?? '', /^[1-9]\d*$/);
    assert.equal(parseRates(headers.get('ratelimit'))['address']?.['r'], 0);
  }
  const neighbour = await from('2001:db8:1:1:ffff::2', OPERATOR_KEY);
  assert.equal(neighbour.status, 429, 'the same /64');
  const other = await from('2001:db8:1:2::1', OPERATOR_KEY);
  assert.equal(other.status, 200);
});

test('a principal is limited over all its keys and addresses, and others are not', async () => {
  const [loud, quiet] = [await stack.newUser('loud'), await stack.newUser('quiet')];
  const second = await stack.asOperator('POST', `/users/${loud.userId}/api-keys`, {});
  const tokens = [loud.token, second.body['api_key'] as string];
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_, index) => from(`198.51.100.${index}`, tokens[index % 2])),
  );
  const refused = answers.filter(({ status }) => status === 429);
  assert.ok(refused.length >= 1 && refused.length <= 20, `${refused.length} were refused`);
  assert.equal((await stack.call('GET', '/me', { token: quiet.token })).status, 200);
  assert.equal((await stack.call('GET', '//healthz')).status, 200);
});

test('without an address only the principal is counted', async () => {
  const { token } = await stack.newUser('addressless');
  const answer = await stack.call('GET', '/me', { token });
  assert.deepEqual(Object.keys(parseRates(answer.headers.get('ratelimit'))), ['principal']);
});
