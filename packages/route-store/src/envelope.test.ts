import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Envelope, mayReplace } from './envelope.ts';

const step = fc.integer({ min: 1, max: 3 });
const envelopes = fc
  .tuple(step, step, fc.boolean())
  .map(([first, second, gone]): Envelope<unknown> => ({ rank: [first, second], gone, data: null }));

test('mayReplace() makes any order of the same writes end in the same state', () => {
  const settle = (writes: Envelope<unknown>[]) =>
    writes.reduce((held, next) => (mayReplace(held, next) ? next : held), { rank: [0, 0], gone: false, data: null });
  fc.assert(
    fc.property(fc.array(envelopes, { minLength: 1, maxLength: 8 }), fc.infiniteStream(fc.nat()), (writes, noise) => {
      const shuffled = writes
        .map((write) => ({ write, key: noise.next().value ?? 0 }))
        .sort((a, b) => a.key - b.key)
        .map(({ write }) => write);
      assert.deepEqual(settle(shuffled), settle(writes));
    }),
  );
});

test('mayReplace() lets a tombstone win at equal rank', () => {
  const live = { rank: [4], gone: false, data: {} };
  const gone = { rank: [4], gone: true, data: null };
  assert.equal(mayReplace(live, gone), true);
  assert.equal(mayReplace(gone, live), false);
  assert.equal(mayReplace(gone, { ...live, rank: [5] }), true);
});
