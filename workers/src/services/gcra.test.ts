import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { gcra, type RatePolicy } from './gcra.ts';

const policies = fc.record({
  name: fc.constant('test'),
  perS: fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.double({ min: 0.01, max: 10, noNaN: true })),
  burst: fc.integer({ min: 1, max: 500 }),
});
/** Requests: the time since the one before, and the cost. */
const requests = fc.array(
  fc.record({ afterMs: fc.integer({ min: 0, max: 3000 }), cost: fc.integer({ min: 1, max: 5 }) }),
  { minLength: 1, maxLength: 300 },
);

/** The textbook's bucket, which keeps its tokens and when they were counted. */
class TokenBucket {
  readonly #policy: RatePolicy;
  #tokens: number;
  #atMs = 0;

  constructor(policy: RatePolicy) {
    this.#policy = policy;
    this.#tokens = policy.burst;
  }

  take(nowMs: number, cost: number): { allowed: boolean; tokens: number } {
    const { perS, burst } = this.#policy;
    this.#tokens = Math.min(burst, this.#tokens + ((nowMs - this.#atMs) / 1000) * perS);
    this.#atMs = nowMs;
    const allowed = this.#tokens >= cost - 1e-6;
    if (allowed) this.#tokens -= cost;
    return { allowed, tokens: this.#tokens };
  }
}

test('gcra() decides as a token bucket does', () => {
  fc.assert(
    fc.property(policies, requests, (policy, sequence) => {
      const bucket = new TokenBucket(policy);
      let fullAtMs: number | undefined;
      let nowMs = 0;
      for (const { afterMs, cost } of sequence) {
        nowMs += afterMs;
        const verdict = gcra(fullAtMs, nowMs, policy, cost);
        const expected = bucket.take(nowMs, cost);
        assert.equal(verdict.allowed, expected.allowed);
        assert.ok(Math.abs(verdict.remaining - Math.floor(expected.tokens + 1e-3)) <= 1);
        fullAtMs = verdict.fullAtMs;
      }
    }),
  );
});

test('gcra() never lets more through in any span than the burst and what flows in', () => {
  fc.assert(
    fc.property(policies, requests, (policy, sequence) => {
      const taken: { atMs: number; cost: number }[] = [];
      let fullAtMs: number | undefined;
      let nowMs = 0;
      for (const { afterMs, cost } of sequence) {
        nowMs += afterMs;
        const verdict = gcra(fullAtMs, nowMs, policy, cost);
        fullAtMs = verdict.fullAtMs;
        if (verdict.allowed) taken.push({ atMs: nowMs, cost });
      }
      for (const [index, { atMs }] of taken.entries()) {
        let sum = 0;
        for (const one of taken.slice(index)) {
          sum += one.cost;
          const most = policy.burst + ((one.atMs - atMs) / 1000) * policy.perS;
          assert.ok(sum <= most + 1e-3, `${sum} of ${most}`);
        }
      }
    }),
  );
});

test('gcra() says when a refused request is allowed: then, and not a moment before', () => {
  fc.assert(
    fc.property(policies, requests, (policy, sequence) => {
      let fullAtMs: number | undefined;
      let nowMs = 0;
      for (const { afterMs, cost } of sequence) {
        nowMs += afterMs;
        const verdict = gcra(fullAtMs, nowMs, policy, cost);
        fullAtMs = verdict.fullAtMs;
        if (verdict.allowed || cost > policy.burst) continue;
        assert.ok(verdict.retryAfterMs > 0);
        assert.equal(gcra(fullAtMs, nowMs + verdict.retryAfterMs + 0.001, policy, cost).allowed, true);
        assert.equal(gcra(fullAtMs, nowMs + verdict.retryAfterMs * 0.99 - 0.001, policy, cost).allowed, false);
      }
    }),
  );
});

test('gcra() refuses nobody for longer than a full bucket takes when the clock is set back', () => {
  const policy = { name: 'test', perS: 10, burst: 5 };
  const far = gcra(1e12, 1000, policy);
  assert.equal(far.allowed, false);
  assert.equal(far.retryAfterMs, 100);
});
