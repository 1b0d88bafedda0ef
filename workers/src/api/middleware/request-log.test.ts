import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hono } from 'hono';
import { logRequests } from './request-log.ts';

const app = new Hono<never>()
  .use(logRequests({ info: () => {}, warn: () => {}, error: () => {} }))
  .get('/', (c) => c.text('x'));

test('logRequests() tells browsers to stay with HTTPS when the request came by it, and only then', async () => {
  const secure = await app.request('https://api.tunnox.example/');
  assert.match(secure.headers.get('strict-transport-security') ?? '', /^max-age=\d{8}$/);
  const plain = await app.request('http://api.tunnox.example/', { headers: { 'x-forwarded-proto': 'https' } });
  assert.equal(plain.headers.get('strict-transport-security'), null);
});
