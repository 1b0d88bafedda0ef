import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatHostPort, parseHostPort } from './host-port.ts';

test('parseHostPort() reads names, IPv4 and IPv6, and formatHostPort() writes them back', () => {
  for (const [text, host, port] of [
    ['relay.example.com:8080', 'relay.example.com', 8080],
    ['127.0.0.1:1', '127.0.0.1', 1],
    ['[::1]:65535', '::1', 65_535],
    ['[fe80::1%eth0]:80', 'fe80::1%eth0', 80],
  ] as const) {
    assert.deepEqual(parseHostPort(text), { host, port });
    assert.equal(formatHostPort(host, port), text);
  }
});

test('parseHostPort() refuses everything else', () => {
  for (const text of [
    '',
    'host',
    ':80',
    'host:',
    'host:0',
    'host:65536',
    '::1:80',
    '[::1]',
    'http://host:80',
    'a b:80',
  ]) {
    assert.throws(() => parseHostPort(text), RangeError, text);
  }
});
