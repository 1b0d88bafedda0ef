import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CircuitBreaker } from './circuit-breaker.ts';
import { RouteStoreUnavailable } from './route-store.ts';

test('CircuitBreaker.run() opens after failures in a row, lets one probe through, and closes on its success', async () => {
  let now = 0;
  let calls = 0;
  let fails = true;
  const breaker = new CircuitBreaker({ now: () => now }, { failuresMax: 2, openMs: 1000 });
  const call = async () => {
    calls += 1;
    if (fails) throw new Error('away');
    return calls;
  };
  await assert.rejects(breaker.run(call), RouteStoreUnavailable);
  await assert.rejects(breaker.run(call), RouteStoreUnavailable);
  assert.equal(calls, 2);
  await assert.rejects(breaker.run(call), RouteStoreUnavailable);
  assert.equal(calls, 2, 'open: nobody was asked');
  now = 1000;
  await Promise.all([assert.rejects(breaker.run(call)), assert.rejects(breaker.run(call))]);
  assert.equal(calls, 3, 'one probe');
  now = 2000;
  fails = false;
  assert.equal(await breaker.run(call), 4);
  assert.equal(await breaker.run(call), 5);
});

test('CircuitBreaker.run() forgets failures that are not in a row', async () => {
  const breaker = new CircuitBreaker({ now: () => 0 }, { failuresMax: 2, openMs: 1000 });
  const fail = async () => {
    throw new Error('away');
  };
  for (let round = 0; round < 5; round += 1) {
    await assert.rejects(breaker.run(fail));
    assert.equal(await breaker.run(async () => round), round);
  }
});
