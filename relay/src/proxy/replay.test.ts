import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CAUSES, type Cause } from '@tunnox/protocol/causes';
import { type FailedTry, mayTryAgain } from './replay.ts';

const DIED: FailedTry = { kind: 'died', reused: true, answerBegan: false, method: 'GET', hasBody: false };

test('mayTryAgain() repeats what died only where it can do no harm', () => {
  assert.equal(mayTryAgain(DIED), true);
  for (const method of ['HEAD', 'OPTIONS', 'PUT', 'DELETE']) assert.equal(mayTryAgain({ ...DIED, method }), true);
  for (const method of ['POST', 'PATCH', 'LOCK', 'get']) assert.equal(mayTryAgain({ ...DIED, method }), false);
  assert.equal(mayTryAgain({ ...DIED, reused: false }), false);
  assert.equal(mayTryAgain({ ...DIED, answerBegan: true }), false);
  assert.equal(mayTryAgain({ ...DIED, hasBody: true }), false);
});

test('mayTryAgain() tries another upstream for every cause but a verdict', () => {
  const verdicts = Object.keys(CAUSES).filter((cause) => !mayTryAgain({ kind: 'not_opened', cause: cause as Cause }));
  assert.deepEqual(verdicts, [
    'not_allowed',
    'denied',
    'disabled',
    'bad_proof',
    'connection_limit',
    'traffic_limit',
    'active_limit',
  ]);
});
