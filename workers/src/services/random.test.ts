import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { randomBytes, randomInteger, sha256Hex, toBase64Url } from './random.ts';

test('randomInteger() stays below its bound and reaches every value', () => {
  const seen = new Set(Array.from({ length: 1000 }, () => randomInteger(7)));
  assert.deepEqual(
    [...seen].sort((a, b) => a - b),
    [0, 1, 2, 3, 4, 5, 6],
  );
  assert.equal(randomInteger(1), 0);
  assert.ok(randomInteger(2 ** 32) < 2 ** 32);
});

test('toBase64Url() writes as Buffer does', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      assert.equal(toBase64Url(bytes), Buffer.from(bytes).toString('base64url'));
    }),
  );
});

test('sha256Hex() and randomBytes() do what they say', async () => {
  assert.equal(await sha256Hex('caf\u00e9'), createHash('sha256').update('caf\u00e9').digest('hex'));
  assert.equal(randomBytes(24).length, 24);
  assert.notDeepEqual(randomBytes(24), randomBytes(24));
});
