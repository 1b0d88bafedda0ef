import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestStack } from './test-stack.ts';

let stack: TestStack;
before(async () => {
  stack = await TestStack.start();
});
after(() => stack.stop());

test('POST /dns/credentials keeps the token to itself', async () => {
  const token = 'a-very-secret-token-0123456789';
  const body = { name: 'mine', provider: 'powerdns', token, endpoint: 'http://127.0.0.1:1' };
  const made = await stack.asOperator('POST', '/dns/credentials', body);
  assert.equal(made.status, 201, JSON.stringify(made.body));
  assert.ok(!JSON.stringify(made.body).includes(token));
  const { rows } = await stack.database.query('select token_encrypted from provider_credentials');
  assert.match(rows[0].token_encrypted, /^k1\.[0-9a-f]{8}\./);
  const zone = await stack.asOperator('POST', '/dns/zones', {
    domain: 'example.com',
    credential_id: made.body['credential_id'],
  });
  assert.equal(zone.status, 503, JSON.stringify(zone.body));
});
