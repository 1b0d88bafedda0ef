import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeUlid, ulidTimeMs } from './ulid.ts';

test('makeUlid() keeps the time and the order of times', () => {
  const random = new Uint8Array(16).fill(255);
  const times = [0, 31, 32, 1_469_918_176_385, 1_795_000_000_000, 2 ** 48 - 1];
  const ulids = times.map((time) => makeUlid(time, random));
  assert.deepEqual(ulids.map(ulidTimeMs), times);
  assert.deepEqual([...ulids].sort(), ulids);
  assert.equal(ulids[3], '01ARYZ6S41ZZZZZZZZZZZZZZZZ');
});

test('makeUlid() refuses times and randomness out of range', () => {
  assert.throws(() => makeUlid(-1, new Uint8Array(16)), RangeError);
  assert.throws(() => makeUlid(2 ** 48, new Uint8Array(16)), RangeError);
  assert.throws(() => makeUlid(0, new Uint8Array(15)), RangeError);
});
