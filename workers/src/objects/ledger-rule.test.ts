import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isWorthTelling, shareBandwidth, whoWaits } from './ledger-rule.ts';

const limits = fc.oneof(fc.integer({ min: 0, max: 2000 }), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }));
const uses = fc
  .dictionary(fc.string({ minLength: 1, maxLength: 4 }), fc.double({ min: 0, max: 1e12, noNaN: true }), {
    minKeys: 1,
    maxKeys: 30,
  })
  .map((use) => new Map(Object.entries(use)));

const sum = (shares: Iterable<number>): number => [...shares].reduce((all, one) => all + one, 0);

test('shareBandwidth() deals out the limit and never more', () => {
  fc.assert(
    fc.property(limits, uses, (limit, use) => {
      const shares = shareBandwidth(limit, use);
      assert.deepEqual(new Set(shares.keys()), new Set(use.keys()));
      assert.ok(sum(shares.values()) <= limit);
      assert.ok(sum(shares.values()) >= limit - 2 * use.size - limit * 1e-9, 'no more than roundings are lost');
      for (const share of shares.values()) assert.ok(Number.isSafeInteger(share) && share >= 0);
    }),
  );
});

test('shareBandwidth() starves nobody', () => {
  fc.assert(
    fc.property(limits, uses, (limit, use) => {
      fc.pre(limit >= use.size);
      for (const share of shareBandwidth(limit, use).values()) {
        assert.ok(share >= 1 && share >= Math.floor((limit * 0.2) / use.size));
      }
    }),
  );
});

test('shareBandwidth() follows use, and settles where all use what they get', () => {
  assert.deepEqual([...shareBandwidth(1000, new Map([['a', 0]]))], [['a', 1000]]);
  const idle = new Map([
    ['b', 0],
    ['a', 0],
  ]);
  assert.deepEqual(
    [...shareBandwidth(1000, idle)],
    [
      ['a', 500],
      ['b', 500],
    ],
  );
  const busy = new Map([
    ['a', 500],
    ['b', 0],
  ]);
  assert.deepEqual(
    [...shareBandwidth(1000, busy)],
    [
      ['a', 900],
      ['b', 100],
    ],
  );
  let shares = shareBandwidth(1_000_000, busy);
  for (let round = 0; round < 60; round++) shares = shareBandwidth(1_000_000, shares);
  for (const share of shares.values()) assert.ok(Math.abs(share - 500_000) < 5000, String(share));
});

test('isWorthTelling() passes over small moves only', () => {
  const told = new Map([
    ['a', 1000],
    ['b', 100],
  ]);
  const cases: [Record<string, number>, boolean][] = [
    [{ a: 1000, b: 100 }, false],
    [{ a: 1100, b: 90 }, false],
    [{ a: 1000, b: 111 }, true],
    [{ a: 899, b: 100 }, true],
    [{ a: 1000 }, true],
    [{ a: 1000, c: 100 }, true],
  ];
  for (const [next, worth] of cases) {
    assert.equal(isWorthTelling(told, new Map(Object.entries(next))), worth, JSON.stringify(next));
  }
});

test('whoWaits() lets the first in, up to the limit', () => {
  const seats = fc
    .dictionary(fc.string({ minLength: 1, maxLength: 4 }), fc.nat(50))
    .map((seat) => new Map(Object.entries(seat)));
  fc.assert(
    fc.property(fc.option(fc.nat(20)), seats, (max, seat) => {
      const waiting = whoWaits(max, seat);
      assert.equal(waiting.length, max === null ? 0 : Math.max(0, seat.size - max));
      const active = [...seat.keys()].filter((binding) => !waiting.includes(binding));
      for (const one of active) {
        for (const other of waiting) assert.ok((seat.get(one) ?? 0) <= (seat.get(other) ?? 0));
      }
      // One place more: the first of those who wait gets it, and nobody loses one.
      if (max !== null) assert.deepEqual(whoWaits(max + 1, seat), waiting.slice(1));
    }),
  );
});
