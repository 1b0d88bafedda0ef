import assert from 'node:assert/strict';
import { test } from 'node:test';
import { retryDelayS } from './retry.ts';

test('retryDelayS() doubles to half an hour, and ends with the tenth failure', () => {
  const delays = Array.from({ length: 10 }, (_, index) => retryDelayS(index + 1));
  assert.deepEqual(delays, [60, 120, 240, 480, 960, 1800, 1800, 1800, 1800, null]);
});
