import assert from 'node:assert/strict';
import { scryptSync } from 'node:crypto';
import { test } from 'node:test';
import { hashPassword, passwordHashFault } from './password.ts';

test('hashPassword() writes scrypt in PHC format, with a salt of its own each time', async () => {
  const [one, two] = await Promise.all([hashPassword('correct horse'), hashPassword('correct horse')]);
  assert.notEqual(one, two);
  const [, name, cost, salt = '', hash = ''] = one.split('$');
  assert.deepEqual([name, cost], ['scrypt', 'ln=14,r=8,p=5']);
  const expected = scryptSync('correct horse', Buffer.from(salt, 'base64'), 32, {
    N: 2 ** 14,
    r: 8,
    p: 5,
    maxmem: 2 ** 25,
  });
  assert.deepEqual(Buffer.from(hash, 'base64'), expected);
});

test('hashPassword() hashes what looks the same to the same', async () => {
  const hash = await hashPassword('caf\u00e9');
  const [, , , salt = '', stored = ''] = hash.split('$');
  const composed = scryptSync('cafe\u0301'.normalize('NFKC'), Buffer.from(salt, 'base64'), 32, {
    N: 2 ** 14,
    r: 8,
    p: 5,
    maxmem: 2 ** 25,
  });
  assert.deepEqual(Buffer.from(stored, 'base64'), composed);
});

test('passwordHashFault() passes hashes of bounded cost', async () => {
  const tail = `$${'A'.repeat(22)}$${'B'.repeat(43)}`;
  const table: [string, RegExp | null][] = [
    [await hashPassword('x'), null],
    [`$scrypt$ln=15,r=8,p=8${tail}`, null],
    [`$scrypt$ln=16,r=8,p=1${tail}`, /cost/],
    [`$scrypt$ln=14,r=9,p=1${tail}`, /cost/],
    [`$scrypt$ln=14,r=8,p=9${tail}`, /cost/],
    [`$2b$12$${'a'.repeat(53)}`, null],
    [`$2b$13$${'a'.repeat(53)}`, /cost/],
    ['5f4dcc3b5aa765d61d8327deb882cf99', /scrypt/],
    ['', /scrypt/],
  ];
  for (const [hash, fault] of table) {
    const found = passwordHashFault(hash);
    if (fault === null) assert.equal(found, null, hash);
    else assert.match(found ?? '', fault, hash);
  }
});
