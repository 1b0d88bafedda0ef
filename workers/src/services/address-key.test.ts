import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressKey } from './address-key.ts';

test('addressKey() is the address of IPv4 and the /64 of IPv6, of the nearest proxy', () => {
  for (const [address, key] of [
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['198.51.100.1, 203.0.113.7', '203.0.113.7'],
    ['2001:db8:0:1:2:3:4:5', '2001:db8:0:1::/64'],
    ['2001:db8:0:1::9', '2001:db8:0:1::/64'],
    ['127.0.0.1', null],
    ['::1', null],
    ['nobody', null],
    ['', null],
    [undefined, null],
  ] as const) {
    assert.equal(addressKey(address), key, address);
  }
});
