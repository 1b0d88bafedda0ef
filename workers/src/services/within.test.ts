import assert from 'node:assert/strict';
import { test } from 'node:test';
import { within } from './within.ts';

test('within() gives what comes in time, and throws what is thrown', async () => {
  assert.equal(await within(Promise.resolve(7), 60_000), 7);
  await assert.rejects(within(Promise.reject(new Error('no')), 60_000), /no/);
});

test('within() gives null for what is late, and leaves it alone', async () => {
  const { promise, resolve } = Promise.withResolvers<number>();
  assert.equal(await within(promise, 0), null);
  resolve(7);
  assert.equal(await promise, 7);
});
