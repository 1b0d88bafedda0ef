import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { absoluteName, relativeName } from './record-name.ts';

const ZONE = 'example.com';

test('absoluteName() takes the zone itself, relative, absolute and international names', () => {
  const cases: [string, string][] = [
    ['@', 'example.com'],
    ['', 'example.com'],
    ['www', 'www.example.com'],
    ['WWW', 'www.example.com'],
    ['a.b', 'a.b.example.com'],
    ['www.example.com', 'www.example.com'],
    ['www.example.com.', 'www.example.com'],
    ['example.com.', 'example.com'],
    ['*', '*.example.com'],
    ['*.a', '*.a.example.com'],
    ['_acme-challenge.www', '_acme-challenge.www.example.com'],
    ['bücher', 'xn--bcher-kva.example.com'],
    ['*.bücher', '*.xn--bcher-kva.example.com'],
    ['notexample.com', 'notexample.com.example.com'],
  ];
  for (const [wish, name] of cases) assert.deepEqual(absoluteName(wish, ZONE), { ok: true, name }, wish);
});

test('absoluteName() refuses what is no name, or lies elsewhere', () => {
  const cases: [string, string][] = [
    ['other.org.', 'outside_zone'],
    ['a..b', 'empty_label'],
    ['.a', 'empty_label'],
    ['a'.repeat(64), 'label_too_long'],
    [Array.from({ length: 5 }, () => 'a'.repeat(50)).join('.'), 'too_long'],
    ['a b', 'characters'],
    ['a/b', 'characters'],
    ['a*', 'wildcard'],
    ['a.*', 'wildcard'],
    ['-a', 'hyphen'],
    ['a-', 'hyphen'],
    ['a:b', 'characters'],
    ['ü@x', 'characters'],
  ];
  for (const [wish, fault] of cases) assert.deepEqual(absoluteName(wish, ZONE), { ok: false, fault }, wish);
});

test('absoluteName() of a name that it gave is the same name, also by its relative form', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 80 }), (wish) => {
      const first = absoluteName(wish, ZONE);
      if (!first.ok) return;
      assert.deepEqual(absoluteName(`${first.name}.`, ZONE), first);
      assert.deepEqual(absoluteName(relativeName(first.name, ZONE), ZONE), first);
      assert.match(first.name, /^(?:\*\.)?[a-z0-9_.-]{1,253}$/);
      assert.ok(first.name === ZONE || first.name.endsWith(`.${ZONE}`));
    }),
    { numRuns: 2000 },
  );
});
