import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LruMap } from './lru-map.ts';

test('LruMap stays bounded, and holds what was set last and what is asked for all the time', () => {
  fc.assert(
    fc.property(fc.integer({ min: 4, max: 64 }), fc.array(fc.nat(1000), { maxLength: 500 }), (max, keys) => {
      const map = new LruMap<number, number>(max);
      map.set(-1, -1);
      for (const key of keys) {
        map.set(key, key * 2);
        assert.equal(map.get(key), key * 2);
        assert.equal(map.get(-1), -1);
        assert.ok(map.size <= max);
      }
    }),
  );
});

test('LruMap refuses a bound that holds nothing', () => {
  assert.throws(() => new LruMap(0), RangeError);
  assert.throws(() => new LruMap(Number.NaN), RangeError);
});
