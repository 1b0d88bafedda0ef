import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Once } from './once.ts';

test('Once.take() takes a value once', () => {
  const once = new Once();
  assert.equal(once.take('a'), true);
  assert.equal(once.take('b'), true);
  assert.equal(once.take('a'), false);
});

test('Once.take() remembers at least half of its limit and forgets what is older than the whole', () => {
  const once = new Once(100);
  for (let i = 0; i < 151; i += 1) assert.equal(once.take(String(i)), true);
  for (let i = 101; i < 151; i += 1) assert.equal(once.take(String(i)), false);
  assert.equal(once.take('0'), true);
});
