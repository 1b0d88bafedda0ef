import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { quoteTxt, txtBytes, unquoteTxt } from './txt.ts';

test('quoteTxt() quotes, escapes and cuts at 255 bytes', () => {
  assert.equal(quoteTxt(''), '""');
  assert.equal(quoteTxt('v=spf1 -all'), '"v=spf1 -all"');
  assert.equal(quoteTxt('a"b\\c'), '"a\\"b\\\\c"');
  assert.equal(quoteTxt('é'), '"\\195\\169"');
  assert.equal(quoteTxt('x'.repeat(300)), `"${'x'.repeat(255)}" "${'x'.repeat(45)}"`);
});

test('unquoteTxt() reads words without quotes and joins strings, and refuses what is broken', () => {
  assert.equal(unquoteTxt('abc'), 'abc');
  assert.equal(unquoteTxt('"ab" "cd"'), 'abcd');
  assert.equal(unquoteTxt('"ab""cd"'), 'abcd');
  for (const broken of ['"ab', '"a\\', '"\\999"']) assert.equal(unquoteTxt(broken), null, broken);
});

test('unquoteTxt() gives back what quoteTxt() was given', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 700 }), (text) => {
      fc.pre(text.isWellFormed());
      assert.equal(unquoteTxt(quoteTxt(text)), text);
      for (const string of quoteTxt(text).match(/"(?:[^"\\]|\\.)*"/gs) ?? []) {
        assert.ok(string.replaceAll(/\\(?:\d{3}|.)/gs, 'x').length - 2 <= 255);
      }
      assert.ok(txtBytes(text) >= text.length);
    }),
  );
});

test('unquoteTxt() reads anything or says that it cannot', () => {
  fc.assert(
    fc.property(fc.string(), (text) => void unquoteTxt(text)),
    { numRuns: 2000 },
  );
});
