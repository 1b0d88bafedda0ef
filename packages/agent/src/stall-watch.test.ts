import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@tunnox/testing/fake-clock';
import { watchStalls } from './stall-watch.ts';

test('watchStalls() tells of a jump of the wall clock, and of nothing else', () => {
  const clock = new FakeClock();
  let sleptMs = 0;
  let awoken = 0;
  const stop = watchStalls(
    clock,
    () => clock.now() + sleptMs,
    () => (awoken += 1),
  );
  clock.advance(60_000);
  assert.equal(awoken, 0);
  sleptMs += 4000;
  clock.advance(2000);
  assert.equal(awoken, 0);
  sleptMs += 60_000;
  clock.advance(2000);
  assert.equal(awoken, 1);
  sleptMs -= 3_600_000;
  clock.advance(2000);
  assert.equal(awoken, 1);
  stop();
  assert.equal(clock.pending, 0);
});

test('watchStalls() tells of a timer that is late by the monotonic clock', () => {
  const clock = new FakeClock();
  let lateMs = 0;
  let awoken = 0;
  const late = { now: () => clock.now() + lateMs, timer: clock.timer.bind(clock) };
  const stop = watchStalls(
    late,
    () => 0,
    () => (awoken += 1),
  );
  lateMs = 60_000;
  clock.advance(1000);
  assert.equal(awoken, 1);
  stop();
});
