import assert from 'node:assert/strict';
import { test } from 'node:test';
import { orderRetryS, renewAt } from './renewal.ts';

test('renewAt() lies at two thirds of the life, give or take', () => {
  const [from, to] = [new Date('2026-01-01T00:00:00Z'), new Date('2026-04-01T00:00:00Z')];
  const days = (random: number) => (renewAt(from, to, random).getTime() - from.getTime()) / 86_400_000;
  assert.equal(Math.round(days(0.5)), 60);
  assert.ok(days(0) >= 57 && days(0) < days(0.999) && days(0.999) <= 63);
});

test('orderRetryS() grows to a day and stays there', () => {
  assert.deepEqual([1, 2, 3, 7, 8, 100].map(orderRetryS), [300, 900, 3600, 86_400, 86_400, 86_400]);
});
