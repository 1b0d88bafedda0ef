import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quantile, ratios, summarize } from './stats.ts';

test('summarize() gives median and spread of unsorted values', () => {
  assert.deepEqual(summarize([5, 1, 3]), { median: 3, min: 1, max: 5, count: 3 });
  assert.equal(summarize([1, 2, 3, 4]).median, 2.5);
});

test('summarize() leaves failed repeats out', () => {
  assert.deepEqual(summarize([Number.NaN, 2, Number.NaN]), { median: 2, min: 2, max: 2, count: 1 });
});

test('summarize() of nothing has no value', () => {
  const { median, count } = summarize([]);
  assert.ok(Number.isNaN(median));
  assert.equal(count, 0);
});

test('quantile() interpolates between neighbours and reaches both ends', () => {
  assert.equal(quantile([10, 20], 0.25), 12.5);
  assert.equal(quantile([10, 20], 0), 10);
  assert.equal(quantile([10, 20], 1), 20);
});

test('ratios() pairs the values of one round', () => {
  assert.deepEqual(ratios([1, 4], [2, 4]), [0.5, 1]);
  assert.ok(Number.isNaN(ratios([1], [])[0]));
});
