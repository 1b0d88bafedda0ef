import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AccessList, addressOf } from './access-list.ts';

const cases: [allow: string[], deny: string[], visitor: string, allowed: boolean][] = [
  [[], [], 'nonsense', true],
  [['10.0.0.0/8'], [], '10.1.2.3:50000', true],
  [['10.0.0.0/8'], [], '11.1.2.3:50000', false],
  [['10.0.0.0/8'], ['10.1.0.0/16'], '10.1.2.3:1', false],
  [['10.0.0.0/8'], [], '[::ffff:10.1.2.3]:50000', true],
  [['10.0.0.0/8'], [], '[::ffff:a01:203]:50000', true],
  [[], ['10.0.0.0/8'], '[0:0:0:0:0:ffff:a01:203]:1', false],
  [['::ffff:10.0.0.0/104'], [], '10.9.9.9:1', true],
  [['2001:db8::/32'], [], '[2001:db8::1]:443', true],
  [['2001:db8::/32'], [], '[2001:db9::1]:443', false],
  [[], ['fe80::/10'], '[fe80::1%eth0]:443', false],
  [['192.0.2.1'], [], '192.0.2.1:1', true],
  [['192.0.2.1'], [], '192.0.2.2:1', false],
  [['0.0.0.0/0'], [], '[2001:db8::1]:1', false],
  [['::/0'], [], '[2001:db8::1]:1', true],
  [['10.0.0.0/33'], [], '10.0.0.1:1', false],
  [[], ['oops'], '10.0.0.1:1', false],
  [[], ['10.0.0.0/8'], 'nonsense', false],
  [[], ['10.0.0.0/8'], '[::1', false],
];

for (const [allow, deny, visitor, allowed] of cases) {
  test(`AccessList allow=${allow.join()} deny=${deny.join()} ${allowed ? 'lets in' : 'turns away'} ${visitor}`, () => {
    assert.equal(new AccessList({ allow, deny }).allows(visitor), allowed);
  });
}

test('AccessList agrees with arithmetic for every IPv4 range', () => {
  const octets = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255));
  const number = (parts: number[]): number => parts.reduce((sum, part) => sum * 256 + part, 0);
  fc.assert(
    fc.property(octets, fc.integer({ min: 0, max: 32 }), octets, (range, bits, visitor) => {
      const size = 2 ** (32 - bits);
      const inside = Math.floor(number(range) / size) === Math.floor(number(visitor) / size);
      const cidr = `${range.join('.')}/${bits}`;
      assert.equal(new AccessList({ allow: [cidr], deny: [] }).allows(`${visitor.join('.')}:1`), inside);
      assert.equal(new AccessList({ allow: [], deny: [cidr] }).allows(`${visitor.join('.')}:1`), !inside);
    }),
  );
});

test('addressOf() cuts the port and nothing else', () => {
  assert.equal(addressOf('1.2.3.4:80'), '1.2.3.4');
  assert.equal(addressOf('1.2.3.4'), '1.2.3.4');
  assert.equal(addressOf('[::1]:80'), '::1');
  assert.equal(addressOf('::1'), '::1');
});
