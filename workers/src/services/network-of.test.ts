import assert from 'node:assert/strict';
import { test } from 'node:test';
import { networkOf } from './network-of.ts';

for (const [address, network] of [
  ['203.0.113.7', '203.0.113.0/24'],
  [' 203.0.113.255 ', '203.0.113.0/24'],
  ['10.0.0.1, 198.51.100.9', '198.51.100.0/24'],
  ['::ffff:203.0.113.7', '203.0.113.0/24'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:DB8:0:1:aaaa:bbbb:cccc:dddd', '2001:db8:0:1::/64'],
  ['2001:db8:0:1::', '2001:db8:0:1::/64'],
  ['::1', null],
  ['127.0.0.1', null],
  ['127.1.2.3', null],
  ['::ffff:127.0.0.1', null],
  ['', null],
  ['unknown', null],
  ['256.1.1.1', null],
  ['01.2.3.4', null],
  ['fe80::1%eth0', null],
  ['2001:db8::1::2', null],
] as const) {
  test(`networkOf() of '${address}' is ${network}`, () => {
    assert.equal(networkOf(address), network);
  });
}
