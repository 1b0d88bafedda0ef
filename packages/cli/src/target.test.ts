import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseHttpTarget, parsePort, parseTcpTarget } from './target.ts';
import { UsageError } from './usage-error.ts';

const http: [text: string, scheme: string, host: string, port: number][] = [
  ['3000', 'http', 'localhost', 3000],
  [':3000', 'http', 'localhost', 3000],
  ['localhost:3000', 'http', 'localhost', 3000],
  ['10.0.0.5:80', 'http', '10.0.0.5', 80],
  ['[::1]:8080', 'http', '::1', 8080],
  ['my_host.internal:1', 'http', 'my_host.internal', 1],
  ['http://localhost:3000/', 'http', 'localhost', 3000],
  ['HTTPS://shop.test', 'https', 'shop.test', 443],
  ['http://shop.test', 'http', 'shop.test', 80],
  ['https://[fd00::1]:8443', 'https', 'fd00::1', 8443],
  ['https://3000', 'https', 'localhost', 3000],
];
for (const [text, scheme, host, port] of http) {
  test(`parseHttpTarget() reads '${text}'`, () => assert.deepEqual(parseHttpTarget(text), { scheme, host, port }));
}

const wrong = [
  '',
  'localhost',
  '0',
  '65536',
  'a b:1',
  'http://x/path',
  'http://x?q',
  'ftp://x:1',
  '::1',
  '::1:80',
  '[::1]',
  '10.0.0:80',
  '1.2.3.4.5:1',
  'x:y',
  '-a:1',
  'u:p@h:1',
  '[localhost]:1',
];
for (const text of wrong) {
  test(`parseHttpTarget() refuses '${text}'`, () => assert.throws(() => parseHttpTarget(text), UsageError));
}

test('parseTcpTarget() reads ports and host:port, no URLs', () => {
  assert.deepEqual(parseTcpTarget('22'), { scheme: 'tcp', host: 'localhost', port: 22 });
  assert.deepEqual(parseTcpTarget('db:5432'), { scheme: 'tcp', host: 'db', port: 5432 });
  assert.throws(() => parseTcpTarget('http://db:5432'), UsageError);
  assert.throws(() => parseTcpTarget('db'), /which port/);
});

test('parsePort() accepts 1 to 65535', () => {
  assert.equal(parsePort('65535'), 65_535);
  for (const text of ['0', '65536', '-1', '1.5', '', 'x', '1e3']) assert.throws(() => parsePort(text), UsageError);
});
