import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isProof, makeProof } from './proof.ts';

const secret = Buffer.alloc(32, 7).toString('base64url');
const args = ['mapping:1001', '600000001', '01J00000000000000000000000'] as const;

test('makeProof() is the documented HMAC', () => {
  assert.equal(makeProof(secret, ...args), '4ZeCX_a1lqnWMu6jToyMVXsccrkMzDpUFCnSU6ZYl3w');
});

test('isProof() accepts what makeProof() made and nothing else', () => {
  const proof = makeProof(secret, ...args);
  assert.ok(isProof(proof, secret, ...args));
  assert.ok(!isProof('', secret, ...args));
  assert.ok(!isProof(`${proof}x`, secret, ...args));
  assert.ok(!isProof(proof, Buffer.alloc(32, 8).toString('base64url'), ...args));
  assert.ok(!isProof(proof, secret, 'mapping:1002', args[1], args[2]));
  assert.ok(!isProof(proof, secret, args[0], '600000002', args[2]));
  assert.ok(!isProof(proof, secret, args[0], args[1], '01J00000000000000000000001'));
  fc.assert(
    fc.property(fc.string(), (guess) => {
      fc.pre(guess !== proof);
      assert.equal(isProof(guess, secret, ...args), false);
    }),
  );
});
