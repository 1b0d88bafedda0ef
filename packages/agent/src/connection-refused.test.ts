import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isConnectionRefused } from './connection-refused.ts';

const failed = (code: string): Error => Object.assign(new Error(code), { code });

test('isConnectionRefused() finds the refusal below what was made of it', () => {
  assert.equal(isConnectionRefused(failed('ECONNREFUSED')), true);
  const fetched = new TypeError('fetch failed', { cause: new AggregateError([failed('ECONNREFUSED')]) });
  assert.equal(isConnectionRefused(new Error('Cannot reach it', { cause: fetched })), true);
});

test('isConnectionRefused() asks it of every address, and of nothing else', () => {
  const mixed = Object.assign(new AggregateError([failed('ECONNREFUSED'), failed('ETIMEDOUT')]), {
    code: 'ECONNREFUSED',
  });
  for (const error of [mixed, failed('ECONNRESET'), new AggregateError([]), undefined, 'ECONNREFUSED']) {
    assert.equal(isConnectionRefused(error), false);
  }
});
