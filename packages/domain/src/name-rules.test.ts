import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { normalizeHost } from './host-name.ts';
import { checkCustomDomain, checkSubdomain, type NameFault } from './name-rules.ts';
import { randomName } from './random-name.ts';

const BASES = ['tunnox.example'];

test('checkSubdomain() accepts labels in normal form', () => {
  const table: [string, string][] = [
    ['foo', 'foo'],
    ['Foo', 'foo'],
    ['a', 'a'],
    ['my-app-2', 'my-app-2'],
    ['1234', '1234'],
    ['a'.repeat(63), 'a'.repeat(63)],
    ['caf\u00e9', 'xn--caf-dma'],
    ['xn--caf-dma', 'xn--caf-dma'],
    ['m\u00fcnchen', 'xn--mnchen-3ya'],
    ['\u65e5\u672c\u8a9e', 'xn--wgv71a119e'],
    ['\u043f\u0440\u0438\u0432\u0435\u0442', 'xn--b1agh1afp'],
    ['\uff46oo', 'foo'],
  ];
  for (const [chosen, name] of table) assert.deepEqual(checkSubdomain(chosen), { ok: true, name }, chosen);
});

test('checkSubdomain() names what is wrong', () => {
  const table: [string, NameFault][] = [
    ['', 'empty'],
    ['*', 'wildcard'],
    ['*.foo', 'wildcard'],
    ['foo.bar', 'several_labels'],
    ['foo\u3002bar', 'several_labels'],
    ['foo_bar', 'characters'],
    ['foo bar', 'characters'],
    ['foo/bar', 'characters'],
    ['foo@bar', 'characters'],
    ['\ud83d\ude00', 'mixed_scripts'],
    ['a\u200db', 'characters'],
    ['-foo', 'hyphen'],
    ['foo-', 'hyphen'],
    ['ab--cd', 'hyphen'],
    ['xn--a', 'characters'],
    ['xn--', 'hyphen'],
    ['a'.repeat(64), 'too_long'],
    ['\u00e9'.repeat(60), 'too_long'],
    ['www', 'reserved'],
    ['API', 'reserved'],
    ['\uff41\uff50\uff49', 'reserved'],
    // Cyrillic а and Latin; all Cyrillic, looks like "apple"; Greek, looks like "ovo".
    ['p\u0430ypal', 'mixed_scripts'],
    ['\u0430\u0440\u0440\u04cf\u0435', 'confusable'],
    ['xn--80ak6aa92e', 'confusable'],
    ['\u03bf\u03bd\u03bf', 'confusable'],
    ['g\u0131thub', 'mixed_scripts'],
  ];
  for (const [chosen, fault] of table) assert.deepEqual(checkSubdomain(chosen), { ok: false, fault }, chosen);
});

test('checkSubdomain() accepts only what a relay reads as the same name', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ maxLength: 70 }), fc.string({ unit: 'binary', maxLength: 20 })), (text) => {
      const checked = checkSubdomain(text);
      if (!checked.ok) return;
      assert.equal(normalizeHost(`${checked.name}.example`), `${checked.name}.example`);
      assert.deepEqual(checkSubdomain(checked.name), checked);
    }),
  );
});

test('checkCustomDomain() accepts whole names outside the base domains', () => {
  assert.deepEqual(checkCustomDomain('Shop.Customer.com.', BASES), { ok: true, name: 'shop.customer.com' });
  const table: [string, NameFault][] = [
    ['', 'empty'],
    ['customer', 'one_label'],
    ['*.customer.com', 'wildcard'],
    ['a..customer.com', 'empty'],
    ['10.0.0.1', 'address'],
    ['customer.1', 'address'],
    ['foo.tunnox.example', 'base_domain'],
    ['tunnox.example', 'base_domain'],
    ['example', 'one_label'],
    ['a_b.customer.com', 'characters'],
    [`${'a'.repeat(64)}.com`, 'too_long'],
    [Array(70).fill('aaa').join('.'), 'too_long'],
  ];
  for (const [chosen, fault] of table) {
    assert.deepEqual(checkCustomDomain(chosen, BASES), { ok: false, fault }, chosen);
  }
});

test('randomName() makes names that everybody may have', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { minLength: 3, maxLength: 3 }), (numbers) => {
      const rest = [...numbers];
      const name = randomName((below) => (rest.shift() ?? 0) % below);
      assert.match(name, /^[a-z]+-[a-z]+-[1-9][0-9]{3}$/);
      assert.deepEqual(checkSubdomain(name), { ok: true, name });
    }),
  );
});
