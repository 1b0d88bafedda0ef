import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalValue, isTtl, RECORD_TYPES, type RecordType } from './record-type.ts';

const place = { name: 'www.example.com', zone: 'example.com' };

test('canonicalValue() gives equal values equal texts', () => {
  const cases: [RecordType, string, string][] = [
    ['A', ' 203.0.113.7 ', '203.0.113.7'],
    ['AAAA', '2001:DB8:0:0:0:0:0:7', '2001:db8::7'],
    ['AAAA', '::ffff:203.0.113.7', '::ffff:cb00:7107'],
    ['CNAME', 'Relay.Example.NET.', 'relay.example.net'],
    ['CNAME', '@', 'example.com'],
    ['CNAME', 'bücher.example', 'xn--bcher-kva.example'],
    ['TXT', 'plain text', 'plain text'],
    ['TXT', '"quoted " "in two"', 'quoted in two'],
    ['MX', '010  Mail.example.net.', '10 mail.example.net'],
    ['SRV', '10 5 5060 sip.example.net', '10 5 5060 sip.example.net'],
    ['CAA', '0 ISSUE "letsencrypt.org"', '0 issue "letsencrypt.org"'],
    ['CAA', '0 issue ;', '0 issue ";"'],
  ];
  for (const [type, value, canonical] of cases) {
    assert.deepEqual(canonicalValue(type, value, place), { ok: true, value: canonical }, `${type} ${value}`);
  }
});

test('canonicalValue() refuses what the type cannot hold', () => {
  const cases: [RecordType, string][] = [
    ['A', '256.1.1.1'],
    ['A', '1.2.3'],
    ['A', '01.2.3.4'],
    ['A', '0.0.0.0'],
    ['A', '0x7f.0.0.1'],
    ['A', 'relay.example.net'],
    ['AAAA', '203.0.113.7'],
    ['AAAA', '::'],
    ['AAAA', '2001:db8::7::1'],
    ['AAAA', '2001:db8::7]/x['],
    ['AAAA', 'fe80::1%eth0'],
    ['CNAME', 'relay'],
    ['CNAME', '203.0.113.7'],
    ['CNAME', 'a b.example'],
    ['CNAME', '*.example.net'],
    ['CNAME', 'www.example.com'],
    ['TXT', ''],
    ['TXT', '""'],
    ['TXT', '"open'],
    ['TXT', 'line\nbreak'],
    ['TXT', 'x'.repeat(2048)],
    ['MX', 'mail.example.net'],
    ['MX', '70000 mail.example.net'],
    ['SRV', '1 2 sip.example.net'],
    ['CAA', 'issue ca.example.net'],
    ['CAA', '999 issue ca.example.net'],
  ];
  for (const [type, value] of cases) assert.equal(canonicalValue(type, value, place).ok, false, `${type} ${value}`);
  assert.equal(canonicalValue('CNAME', 'x.example.net', { name: 'example.com', zone: 'example.com' }).ok, false);
});

test('canonicalValue() of a canonical value is that value', () => {
  const types = Object.keys(RECORD_TYPES) as RecordType[];
  const near: fc.Arbitrary<string> = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.domain(),
    fc.string({ unit: 'grapheme' }),
    fc.tuple(fc.nat(70_000), fc.domain()).map(([n, name]) => `${n} ${name}`),
  );
  fc.assert(
    fc.property(fc.constantFrom(...types), near, (type, value) => {
      const first = canonicalValue(type, value, place);
      if (!first.ok) return;
      // A text that begins with a quote would be read as a quoted one.
      fc.pre(type !== 'TXT' || !first.value.startsWith('"'));
      assert.deepEqual(canonicalValue(type, first.value, place), first);
    }),
    { numRuns: 2000 },
  );
});

test('isTtl() takes 1 and 60 to 86400', () => {
  assert.deepEqual([0, 1, 2, 59, 60, 300, 86_400, 86_401, 60.5, Number.NaN].map(isTtl), [
    ...[false, true, false, false, true, true, true, false, false, false],
  ]);
});
