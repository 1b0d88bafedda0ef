import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isPrivateHost } from './private-host.ts';

const hostOf = (url: string) => new URL(url).hostname;

test('isPrivateHost() knows private hosts in every form in which a URL may have them', () => {
  const urls = [
    ...['http://localhost', 'http://api.localhost', 'http://printer', 'http://printer.local', 'http://x.internal'],
    ...['http://127.0.0.1', 'http://127.1', 'http://2130706433', 'http://0x7f.0.0.1', 'http://0177.0.0.1'],
    ...['http://10.1.2.3', 'http://172.16.0.1', 'http://172.31.255.255', 'http://192.168.1.1', 'http://0.0.0.0'],
    ...[
      'http://169.254.169.254',
      'http://100.64.0.1',
      'http://198.18.0.1',
      'http://224.0.0.1',
      'http://255.255.255.255',
    ],
    ...['http://[::1]', 'http://[::]', 'http://[fe80::1]', 'http://[fc00::1]', 'http://[::ffff:10.0.0.1]'],
    ...[
      'http://[64:ff9b::7f00:1]',
      'http://[2002:7f00:1::]',
      'http://[2001:db8::1]',
      'http://localhost.',
      'http://LOCALHOST',
    ],
  ];
  for (const url of urls) assert.ok(isPrivateHost(hostOf(url)), url);
});

test('isPrivateHost() lets the internet pass', () => {
  const urls = [
    'http://dns.example.com',
    'http://8.8.8.8',
    'http://172.32.0.1',
    'http://[2606:4700::1111]',
    'http://1.1.1.1',
  ];
  for (const url of urls) assert.ok(!isPrivateHost(hostOf(url)), url);
});

test('isPrivateHost() judges an IPv4 address the same in IPv6', () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      assert.equal(isPrivateHost(hostOf(`http://[::ffff:${address}]`)), isPrivateHost(hostOf(`http://${address}`)));
    }),
  );
});
