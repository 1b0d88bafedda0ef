import assert from 'node:assert/strict';
import { domainToASCII } from 'node:url';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodePunycodeLabel } from './punycode.ts';

test('decodePunycodeLabel() decodes the samples of RFC 3492', () => {
  const table: [string, string | null][] = [
    ['caf-dma', 'caf\u00e9'],
    ['ihqwcrb4cv8a8dqg056pqjye', '\u4ed6\u4eec\u4e3a\u4ec0\u4e48\u4e0d\u8bf4\u4e2d\u6587'],
    [
      '4dbcagdahymbxekheh6e0a7fei0b',
      '\u05dc\u05de\u05d4\u05d4\u05dd\u05e4\u05e9\u05d5\u05d8\u05dc\u05d0\u05de\u05d3\u05d1\u05e8\u05d9\u05dd\u05e2\u05d1\u05e8\u05d9\u05ea',
    ],
    ['', ''],
    ['A', null],
    ['caf-dm!', null],
    ['99999999', null],
  ];
  for (const [encoded, decoded] of table) assert.equal(decodePunycodeLabel(encoded), decoded, encoded);
});

test('decodePunycodeLabel() undoes what the platform encodes', () => {
  const letters = fc.string({
    unit: fc.constantFrom(...Array.from('abc\u00e9\u00fc\u0436\u0439\u4e2d\u6587\u3042\ud55c')),
    minLength: 1,
    maxLength: 12,
  });
  fc.assert(
    fc.property(letters, (label) => {
      const ascii = domainToASCII(label);
      if (ascii.startsWith('xn--')) assert.equal(decodePunycodeLabel(ascii.slice(4)), label.normalize('NFC'));
    }),
  );
});
