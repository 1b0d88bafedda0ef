import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RateBuckets } from '../objects/rate-buckets.ts';
import type { RateLimiter } from '../services/rate-limiter.ts';
import { createRateLimiter } from './object-rate-limiter.ts';

const POLICY = { name: 'test', perS: 1, burst: 2 };

/** Real buckets behind a fake of the objects' stubs. */
function limiter(options: { silent?: boolean; broken?: boolean } = {}) {
  const state = { nowMs: 0, calls: [] as number[], warnings: 0 };
  const now = () => state.nowMs;
  const shards = new Map<number, RateBuckets>();
  const taker: RateLimiter = createRateLimiter({
    shard: (index) => ({
      take(key, policy, cost) {
        state.calls.push(index);
        if (options.silent === true) return new Promise(() => {});
        if (options.broken === true) return Promise.reject(new Error('broken'));
        const buckets = shards.get(index) ?? new RateBuckets({ now }, { keysMax: 100 });
        shards.set(index, buckets);
        return Promise.resolve(buckets.take(key, policy, cost));
      },
    }),
    log: { info: () => {}, warn: () => (state.warnings += 1), error: () => {} },
    now,
  });
  return { taker, state };
}

test('a key is always counted at the same place, and keys are spread over them', async () => {
  const { taker, state } = limiter();
  for (let index = 0; index < 500; index += 1) await taker.take(`user:${index}`, POLICY);
  assert.equal(new Set(state.calls).size, 32);
  const before = state.calls.length;
  await taker.take('user:7', POLICY);
  assert.equal(state.calls[before], state.calls[7]);
});

test('who is refused is refused here until its time, and then asked for again', async () => {
  const { taker, state } = limiter();
  for (let index = 0; index < 2; index += 1) assert.equal((await taker.take('a', POLICY))?.allowed, true);
  for (let index = 0; index < 50; index += 1) {
    const verdict = await taker.take('a', POLICY);
    assert.deepEqual([verdict?.allowed, verdict?.retryAfterMs, verdict?.fullInMs], [false, 1000, 2000]);
  }
  assert.equal(state.calls.length, 3);
  state.nowMs = 400;
  assert.deepEqual(await taker.take('a', POLICY), { allowed: false, remaining: 0, retryAfterMs: 600, fullInMs: 1600 });
  state.nowMs = 1000;
  assert.equal((await taker.take('a', POLICY))?.allowed, true);
});

for (const [what, options] of [
  ['does not answer', { silent: true }],
  ['fails', { broken: true }],
] as const) {
  test(`a request passes, and a line is logged, when the object ${what}`, async () => {
    const { taker, state } = limiter(options);
    assert.equal(await taker.take('a', POLICY), null);
    assert.equal(state.warnings, 1);
  });
}
