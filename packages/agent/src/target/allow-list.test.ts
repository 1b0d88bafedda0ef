import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AllowList } from './allow-list.ts';
import { parseAllowRule } from './allow-rule.ts';

const open = new AllowList([], 'allowed');
const list = (...rules: string[]) => new AllowList(rules.map(parseAllowRule), 'denied');

test('AllowList.allows() lets everything but guarded addresses pass when there are no rules', () => {
  for (const address of ['127.0.0.1', '10.1.2.3', '8.8.8.8', '::1', '2001:db8::1', '::ffff:10.0.0.1', '169.253.1.1']) {
    assert.ok(open.allows(address, 80), address);
  }
});

const guarded = [
  '169.254.169.254',
  '169.254.0.1',
  'fe80::1',
  'fe80::1%eth0',
  'febf::1',
  'fd00:ec2::254',
  '100.100.100.200',
  '192.0.0.192',
  '168.63.129.16',
  '::ffff:169.254.169.254',
  '::ffff:a9fe:a9fe',
  '::169.254.169.254',
  '64:ff9b::169.254.169.254',
  '64:ff9b::a9fe:a9fe',
];
for (const address of guarded) {
  test(`AllowList.allows() guards ${address}, also against wide rules`, () => {
    assert.equal(open.allows(address, 80), false);
    assert.equal(list('*').allows(address, 80), false);
    assert.equal(list('0.0.0.0/0', '[::/0]').allows(address, 80), false);
  });
}

test('AllowList.allows() opens a guarded address by a rule that names it or a part of its range', () => {
  assert.ok(list('169.254.169.254').allows('169.254.169.254', 80));
  assert.ok(list('169.254.0.0/16:80').allows('169.254.169.254', 80));
  assert.ok(!list('169.254.0.0/16:80').allows('169.254.169.254', 81));
  assert.ok(!list('169.254.1.0/24').allows('169.254.169.254', 80));
  assert.ok(!list('169.0.0.0/8').allows('169.254.169.254', 80));
  assert.ok(list('fe80::/10').allows('fe80::7%en0', 22));
});

const table: [rule: string, address: string, port: number, allowed: boolean][] = [
  ['10.0.0.0/8', '10.255.0.1', 1, true],
  ['10.0.0.0/8', '11.0.0.1', 1, false],
  ['10.0.0.0/8', '::ffff:10.1.1.1', 1, true],
  ['127.0.0.1:5432', '127.0.0.1', 5432, true],
  ['127.0.0.1:5432', '127.0.0.1', 5433, false],
  ['localhost:3000', '::1', 3000, true],
  ['localhost:3000', '127.0.0.9', 3000, true],
  ['localhost', '10.0.0.1', 3000, false],
  ['*:22', '2001:db8::1', 22, true],
  ['*:22', '8.8.8.8', 23, false],
  ['[fd00::/8]:80-90', 'fd00::1', 85, true],
  ['[fd00::/8]:80-90', 'fd00::1', 91, false],
  ['fd00::/8', 'fd12::1', 91, true],
  ['fd00::/8', 'fe00::1', 91, false],
  ['::1', '::1', 1, true],
  ['192.168.1.5:8000-9000', '192.168.1.5', 9000, true],
];
for (const [rule, address, port, allowed] of table) {
  test(`AllowList.allows() with '${rule}' ${allowed ? 'allows' : 'denies'} ${address} port ${port}`, () => {
    assert.equal(list(rule).allows(address, port), allowed);
  });
}

test('AllowList.allows() denies whatever is not an address', () => {
  for (const text of ['', 'localhost', '10.0.0', '1.2.3.4.5', ':::1']) assert.equal(open.allows(text, 80), false, text);
});

test('AllowList.allows() agrees with arithmetic for every IPv4 range, also when the address comes mapped', () => {
  fc.assert(
    fc.property(
      fc.nat(0xffffffff),
      fc.integer({ min: 0, max: 32 }),
      fc.nat(0xffffffff),
      fc.boolean(),
      (network, prefix, address, mapped) => {
        const text = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
        fc.pre(open.allows(text(address), 1));
        const shift = 32 - prefix;
        const inside = Math.floor(network / 2 ** shift) === Math.floor(address / 2 ** shift);
        const given = mapped ? `::ffff:${text(address)}` : text(address);
        assert.equal(list(`${text(network)}/${prefix}`).allows(given, 1), inside);
      },
    ),
  );
});

for (const text of [
  '',
  'example.com',
  '10.0.0.0/33',
  '10.0.0.1:0',
  '10.0.0.1:70000',
  '10.0.0.1:9-8',
  '[::1',
  '::1/129',
  '10.0.0.0/8/8',
  'a:b',
]) {
  test(`parseAllowRule() refuses '${text}'`, () => {
    assert.throws(() => parseAllowRule(text), /Cannot read the allow rule/);
  });
}
