import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { backoffDelayMs, RESTART_DELAY_MS_MAX } from './backoff.ts';

test('backoffDelayMs() tries at once after a loss', () => {
  assert.equal(
    backoffDelayMs(0, () => 0.99),
    0,
  );
});

test('backoffDelayMs() doubles from one second to thirty', () => {
  const upper = [1, 2, 3, 4, 5, 6, 7, 1000].map((attempt) => backoffDelayMs(attempt, () => 1));
  assert.deepEqual(upper, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
});

test('backoffDelayMs() doubles to the bound that it is given, with the same jitter', () => {
  const delays = [1, 4, 5, 1000].map((attempt) => backoffDelayMs(attempt, () => 0.5, RESTART_DELAY_MS_MAX));
  assert.deepEqual(delays, [750, 6000, 7500, 7500]);
});

test('backoffDelayMs() stays between half the step and the step', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (attempt, roll) => {
        const delayMs = backoffDelayMs(attempt, () => roll);
        assert.ok(delayMs >= 500 && delayMs <= 30_000);
      },
    ),
  );
});
