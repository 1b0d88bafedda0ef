import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callObject, callObjectOnce } from './object-call.ts';

/** Fails with these errors in turn, then answers how often it was called. */
function failing(...errors: Error[]): () => Promise<number> {
  let calls = 0;
  return async () => {
    const error = errors[calls];
    calls += 1;
    if (error !== undefined) throw error;
    return calls;
  };
}

const reset = () => Object.assign(new Error('Durable Object reset'), { durableObjectReset: true });
const retryable = () => Object.assign(new Error('Network connection lost.'), { retryable: true });
const overloaded = () =>
  Object.assign(new Error('Durable Object is overloaded.'), { retryable: true, overloaded: true });

test('callObject() calls an object again that was being restarted', async () => {
  assert.equal(await callObject(failing()), 1);
  assert.equal(await callObject(failing(reset())), 2);
  assert.equal(await callObject(failing(retryable())), 2);
});

test('callObject() tells an object that stays away, or has too much to do, as unavailable', async () => {
  await assert.rejects(callObject(failing(reset(), reset())), { code: 'unavailable', retryAfterS: 1 });
  await assert.rejects(callObject(failing(overloaded())), { code: 'unavailable' });
});

test('callObject() passes on what the object itself has thrown', async () => {
  await assert.rejects(callObject(failing(new RangeError('no such number'))), RangeError);
});

test('callObjectOnce() does not repeat a call', async () => {
  await assert.rejects(callObjectOnce(failing(reset())), { code: 'unavailable' });
});
