import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Upstream } from '../upstream/upstream.ts';
import { orderUpstreams } from './order-upstreams.ts';

function upstream(key: string): Upstream {
  return { kind: 'local', key, closed: false, open: () => Promise.reject(new Error('not used')) };
}

test('orderUpstreams() gives every candidate once, by priority, weight 0 last in its group', () => {
  const candidate = fc.record({ weight: fc.nat(3), priority: fc.nat(3) });
  fc.assert(
    fc.property(
      fc.array(candidate, { maxLength: 8 }),
      fc.infiniteStream(fc.double({ min: 0, max: 0.999 })),
      (all, numbers) => {
        const candidates = all.map((one, index) => ({ ...one, upstream: upstream(String(index)) }));
        const random = () => Number(numbers.next().value);
        const ordered = orderUpstreams(candidates, random).map(({ key }) => candidates[Number(key)]);
        assert.equal(new Set(ordered).size, candidates.length);
        for (const [index, one] of ordered.entries()) {
          const next = ordered[index + 1];
          if (one === undefined || next === undefined) continue;
          assert.ok(
            one.priority < next.priority || (one.priority === next.priority && (one.weight > 0 || next.weight === 0)),
          );
        }
      },
    ),
  );
});

test('orderUpstreams() draws the first by weight', () => {
  const candidates = [1, 3].map((weight) => ({ weight, priority: 0, upstream: upstream(String(weight)) }));
  const firsts = Array.from({ length: 1000 }, (_, n) => orderUpstreams(candidates, () => n / 1000)[0]?.key);
  assert.equal(firsts.filter((key) => key === '3').length, 750);
});
