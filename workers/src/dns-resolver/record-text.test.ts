import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressText, caaText } from './record-text.ts';

test('addressText() writes addresses in their canonical form', () => {
  assert.equal(addressText(Uint8Array.of(203, 0, 113, 9)), '203.0.113.9');
  const v6 = Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
  assert.equal(addressText(v6), '2001:db8::1');
  assert.equal(addressText(new Uint8Array(16)), '::');
  for (const length of [0, 3, 5, 15, 17]) assert.equal(addressText(new Uint8Array(length)), null);
});

test('caaText() gives flags, tag and value, and refuses what is cut off', () => {
  const data = (flags: number, tag: string, value: string) =>
    Uint8Array.from([flags, tag.length, ...Buffer.from(tag), ...Buffer.from(value)]);
  assert.equal(caaText(data(0, 'issue', 'letsencrypt.org')), '0 issue letsencrypt.org');
  assert.equal(caaText(data(128, 'IssueWild', ';')), '128 issuewild ;');
  assert.equal(caaText(data(0, 'issue', '')), '0 issue ');
  assert.equal(caaText(Uint8Array.of(0)), null);
  assert.equal(caaText(Uint8Array.of(0, 0, 97)), null);
  assert.equal(caaText(Uint8Array.of(0, 5, 97)), null);
  assert.equal(caaText(data(0, 'is ue', 'x')), null);
});

test('caaText() reads any octets without failing', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (data) => {
      const text = caaText(data);
      assert.ok(text === null || /^\d{1,3} [a-z0-9]+ /.test(text));
    }),
  );
});
