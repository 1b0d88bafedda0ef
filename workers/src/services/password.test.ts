import assert from 'node:assert/strict';
import { scryptSync } from 'node:crypto';
import { test } from 'node:test';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { hash as bcrypt } from 'bcryptjs';
import { hashPassword, passwordHashFault, verifyPassword } from './password.ts';

/** A hash as another system would have made it. */
function scryptHash(password: string, { ln, r, p, length }: { ln: number; r: number; p: number; length: number }) {
  const salt = Buffer.from('salt of sixteen.');
  const bytes = scryptSync(password, salt, length, { N: 2 ** ln, r, p, maxmem: 2 ** 26 });
  const encode = (part: Buffer) => part.toString('base64').replaceAll('=', '');
  return `$scrypt$ln=${ln},r=${r},p=${p}$${encode(salt)}$${encode(bytes)}`;
}

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
    [`$2b$03$${'a'.repeat(53)}`, /cost/],
    [`$scrypt$ln=0,r=8,p=1${tail}`, /1 at least/],
    [`$scrypt$ln=14,r=8,p=0${tail}`, /1 at least/],
    ['5f4dcc3b5aa765d61d8327deb882cf99', /scrypt/],
    ['', /scrypt/],
  ];
  for (const [hash, fault] of table) {
    const found = passwordHashFault(hash);
    if (fault === null) assert.equal(found, null, hash);
    else assert.match(found ?? '', fault, hash);
  }
});

test('verifyPassword() knows what hashPassword() made, however the letters were typed', async () => {
  const hash = await hashPassword('caf\u00e9 au lait');
  assert.equal(await verifyPassword('caf\u00e9 au lait', hash), 'right');
  assert.equal(await verifyPassword('cafe\u0301 au lait', hash), 'right');
  for (const wrong of ['cafe au lait', 'caf\u00e9 au lait ', '', 'CAF\u00c9 AU LAIT']) {
    assert.equal(await verifyPassword(wrong, hash), 'wrong', wrong);
  }
});

test('verifyPassword() takes imported hashes and calls them outdated', async () => {
  const password = 'cafe\u0301 au lait';
  const imported = [
    await bcrypt(password, 4),
    (await bcrypt(password, 4)).replace('$2b$', '$2y$'),
    scryptHash(password, { ln: 10, r: 8, p: 1, length: 64 }),
    scryptHash(password, { ln: 14, r: 8, p: 5, length: 16 }),
  ];
  for (const hash of imported) {
    assert.equal(passwordHashFault(hash), null, hash);
    assert.equal(await verifyPassword(password, hash), 'outdated', hash);
    assert.equal(await verifyPassword('another', hash), 'wrong', hash);
  }
});

test('verifyPassword() never takes a password where there is no hash, or none of a known kind', async () => {
  for (const hash of [null, '', 'cafe', `$scrypt$ln=30,r=8,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`]) {
    for (const password of ['', 'cafe', '\0']) assert.equal(await verifyPassword(password, hash), 'wrong');
  }
});

test('verifyPassword() works as long for nobody as for a wrong password', async () => {
  const hash = await hashPassword('correct horse');
  const timeOf = async (stored: string | null) => {
    const begun = process.cpuUsage();
    await verifyPassword('wrong horse', stored);
    const { user, system } = process.cpuUsage(begun);
    return user + system;
  };
  // Without the work it would be a thousandth.
  const [nobody, somebody] = [await timeOf(null), await timeOf(hash)];
  assert.ok(nobody > somebody / 3 && nobody < somebody * 3, `${nobody} and ${somebody} \u00b5s`);
});

test('only a few passwords are worked on at once; the others are told to come again', async () => {
  const results = await Promise.allSettled(Array.from({ length: 12 }, () => verifyPassword('x', null)));
  const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  assert.equal(refused.length, 8);
  for (const error of refused) {
    assert.ok(error instanceof TunnoxError);
    assert.deepEqual([error.code, error.retryAfterS], ['unavailable', 1]);
  }
  assert.equal(await verifyPassword('x', null), 'wrong', 'the places are free again');
});
