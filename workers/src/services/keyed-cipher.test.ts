import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { createKeyedCipher } from './keyed-cipher.ts';

const [one, two] = [randomBytes(32), randomBytes(32)];
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (plain: string) => new TextEncoder().encode(plain);

test('createKeyedCipher() reads what an earlier key has encrypted, and tells that it was an earlier one', async () => {
  const before = createKeyedCipher([one], 'tokens');
  const after = createKeyedCipher([two, one], 'tokens');
  const old = await before.encrypt(bytes('secret'));
  assert.equal(text(await after.decrypt(old)), 'secret');
  assert.deepEqual([await before.isCurrent(old), await after.isCurrent(old)], [true, false]);
  const renewed = await after.encrypt(await after.decrypt(old));
  assert.ok(await after.isCurrent(renewed));
  await assert.rejects(before.decrypt(renewed), /is not among the keys of this server/);
});

test('createKeyedCipher() refuses a changed text, and one of another purpose', async () => {
  const cipher = createKeyedCipher([one], 'tokens');
  const sealed = await cipher.encrypt(bytes('secret'));
  await assert.rejects(createKeyedCipher([one], 'keys').decrypt(sealed));
  await assert.rejects(cipher.decrypt(`${sealed.slice(0, -4)}AAA=`));
  await assert.rejects(cipher.decrypt('v1.abc'), /unknown format/);
  assert.notEqual(sealed, await cipher.encrypt(bytes('secret')));
});
