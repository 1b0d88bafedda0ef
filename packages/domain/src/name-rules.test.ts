import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { normalizeHost } from './host-name.ts';
import { checkCustomDomain, checkSubdomain, type NameFault } from './name-rules.ts';
import { randomName } from './random-name.ts';
import { RESERVED_LABELS } from './reserved-labels.ts';

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
    // Sharp s and final sigma are letters of their own (UTS 46, non-transitional).
    ['stra\u00dfe', 'xn--strae-oqa'],
    ['XN--CAF-DMA', 'xn--caf-dma'],
    ['a\u00adb', 'ab'],
    // Right to left: Hebrew, Arabic.
    ['\u05e9\u05dc\u05d5\u05dd', 'xn--9dbne9b'],
    ['\u0645\u0631\u062d\u0628\u0627', 'xn--mgbbop3h'],
    ['abc\u65e5\u672c', 'xn--abc-v08fl0d'],
    ['\u30bd\u30fc', 'xn--3ckyg'],
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
    // Capitals of Cyrillic; Greek and Latin; Cyrillic and Greek.
    ['\u0421\u0410\u0425', 'confusable'],
    ['\u03bfvo', 'mixed_scripts'],
    ['\u0430\u03bf', 'mixed_scripts'],
    // Chinese that looks like o and like a hyphen; a dot of its own.
    ['p\u3007ypal', 'confusable'],
    ['pay\u4e00pal', 'confusable'],
    ['\u30fb', 'mixed_scripts'],
    // Joiners, also where a script has them; a mark without its letter; a direction; left-to-right in a Hebrew label.
    ['a\u200cb', 'characters'],
    ['\u0915\u094d\u200d\u0937', 'mixed_scripts'],
    ['1\u0338', 'mixed_scripts'],
    ['\u202eabc', 'characters'],
    ['\u05d0a', 'characters'],
    ['\ud83d\udc69\u200d\ud83d\udcbb', 'characters'],
    ['foo.', 'several_labels'],
    ['\uff41\uff0e\uff42', 'several_labels'],
    ['verify', 'reserved'],
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

test('no rule lets a look-alike of a Latin name through', () => {
  const alike: Record<string, string> = {
    a: '\u0430',
    c: '\u0441',
    e: '\u0435',
    o: '\u043e',
    p: '\u0440',
    x: '\u0445',
  };
  const letters = fc.constantFrom(...Object.keys(alike));
  fc.assert(
    fc.property(fc.array(fc.tuple(letters, fc.boolean()), { minLength: 1, maxLength: 12 }), (chosen) => {
      const label = chosen.map(([letter, swap]) => (swap ? alike[letter] : letter)).join('');
      const checked = checkSubdomain(label);
      assert.equal(checked.ok, chosen.every(([, swap]) => !swap) && !RESERVED_LABELS.has(label), label);
    }),
  );
});

test('checkCustomDomain() gives one form to every way of writing a name', () => {
  const label = fc.stringMatching(/^[a-z0-9](?:[a-z0-9]{0,10}[a-z0-9])?$/);
  const isNumber = /^(?:\d+|0x[0-9a-f]*)$/;
  const name = fc.array(label, { minLength: 2, maxLength: 5 }).filter((labels) => !isNumber.test(labels.at(-1) ?? ''));
  fc.assert(
    fc.property(name, fc.boolean(), fc.boolean(), (labels, upper, dot) => {
      const written = `${upper ? labels.join('.').toUpperCase() : labels.join('\u3002')}${dot ? '.' : ''}`;
      const checked = checkCustomDomain(written, BASES);
      assert.deepEqual(checked, { ok: true, name: labels.join('.') });
      assert.deepEqual(checkCustomDomain(labels.join('.'), BASES), checked);
    }),
  );
});

test('checkCustomDomain() accepts only what a relay reads as the same name', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 12 }), { minLength: 2, maxLength: 4 }), (labels) => {
      const checked = checkCustomDomain(labels.join('.'), BASES);
      if (!checked.ok) return;
      assert.equal(normalizeHost(checked.name), checked.name);
      assert.ok(checked.name.length <= 245);
      assert.deepEqual(checkCustomDomain(checked.name, BASES), checked);
    }),
  );
});

test('checkCustomDomain() leaves look-alikes to registries whose top-level domain is no Latin one', () => {
  const table: [string, string][] = [
    ['\u0442\u0443\u0442.\u0440\u0444', 'xn--r1aac.xn--p1ai'],
    ['x.\u043c\u043e\u043d', 'x.xn--l1acc'],
    ['\u0430\u0440\u0440\u04cf\u0435.com', 'confusable'],
    ['p\u0430ypal.\u0440\u0444', 'mixed_scripts'],
    ['fa\u00df.de', 'xn--fa-hia.de'],
  ];
  for (const [chosen, expected] of table) {
    const checked = checkCustomDomain(chosen, BASES);
    assert.equal(checked.ok ? checked.name : checked.fault, expected, chosen);
  }
});

test('checkCustomDomain() knows every base domain, those of several labels too', () => {
  const bases = ['tunnox.example', 'eu.tunnox.example', 'a.b.example'];
  for (const [name, ok] of [
    ['x.eu.tunnox.example', false],
    ['eu.tunnox.example', false],
    ['b.example', false],
    ['x.a.b.example', false],
    ['x.b.example', true],
    ['nottunnox.example', true],
  ] as const) {
    const checked = checkCustomDomain(name, bases);
    assert.equal(checked.ok, ok, name);
    if (!checked.ok) assert.equal(checked.fault, 'base_domain', name);
  }
});

test('checkCustomDomain() leaves room for the name of the proof', () => {
  const long = (length: number) => `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(length - 192)}`;
  assert.deepEqual(checkCustomDomain(long(245), BASES), { ok: true, name: long(245) });
  assert.deepEqual(checkCustomDomain(long(246), BASES), { ok: false, fault: 'too_long' });
});

test('checkCustomDomain() accepts whole names outside the base domains', () => {
  assert.deepEqual(checkCustomDomain('Shop.Customer.com.', BASES), { ok: true, name: 'shop.customer.com' });
  assert.deepEqual(checkCustomDomain('shop.customer.com\u3002', BASES), { ok: true, name: 'shop.customer.com' });
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
    ['x.com..', 'empty'],
    ['_dmarc.customer.com', 'characters'],
    ['user@customer.com', 'characters'],
    ['customer.com:80', 'characters'],
    ['0x7f.1', 'address'],
    ['customer.0x7f', 'address'],
    ['\uff11.2.3.4', 'address'],
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
