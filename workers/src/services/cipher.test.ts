import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createCipher } from './cipher.ts';

const KEY = new Uint8Array(32).fill(7);

test('createCipher() gives back what it was given, differently each time', async () => {
  const cipher = createCipher(KEY, 'test');
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (plain) => {
      const [one, two] = [await cipher.encrypt(plain), await cipher.encrypt(plain)];
      assert.notEqual(one, two);
      assert.deepEqual(await cipher.decrypt(one), plain);
    }),
    { numRuns: 30 },
  );
});

test('createCipher() refuses texts of another key, another purpose, or changed ones', async () => {
  const cipher = createCipher(KEY, 'test');
  const text = await cipher.encrypt(new TextEncoder().encode('secret'));
  await assert.rejects(createCipher(new Uint8Array(32).fill(8), 'test').decrypt(text));
  await assert.rejects(createCipher(KEY, 'other').decrypt(text));
  const last = text.endsWith('A') ? 'B' : 'A';
  await assert.rejects(cipher.decrypt(`${text.slice(0, 10)}${last}${text.slice(11)}`));
  for (const wrong of ['', 'v1.', 'v2.AAAA', 'plain text', text.slice(0, 12)])
    await assert.rejects(cipher.decrypt(wrong));
});
