import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RateBuckets } from './rate-buckets.ts';

const POLICY = { name: 'test', perS: 1, burst: 2 };

test('RateBuckets.take() counts each key and each policy alone', () => {
  let nowMs = 0;
  const buckets = new RateBuckets({ now: () => nowMs }, { keysMax: 10 });
  assert.equal(buckets.take('a', POLICY, 2).allowed, true);
  assert.equal(buckets.take('a', POLICY, 1).allowed, false);
  assert.equal(buckets.take('b', POLICY, 1).allowed, true);
  assert.equal(buckets.take('a', { ...POLICY, name: 'other' }, 1).allowed, true);
  nowMs = 1000;
  assert.equal(buckets.take('a', POLICY, 1).allowed, true);
});

test('RateBuckets keeps no more keys than it may, and those that were used last', () => {
  const buckets = new RateBuckets({ now: () => 0 }, { keysMax: 3 });
  buckets.take('steady', POLICY, 2);
  for (let index = 0; index < 100; index += 1) {
    buckets.take(`passer-by ${index}`, POLICY, 1);
    assert.equal(buckets.take('steady', POLICY, 1).allowed, false);
  }
  assert.equal(buckets.size, 3);
});
