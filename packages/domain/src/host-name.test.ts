import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isWithin, normalizeHost, toAsciiName } from './host-name.ts';

test('normalizeHost() lowers case and cuts port and trailing dot', () => {
  const table: [string, string | null][] = [
    ['foo.example.com', 'foo.example.com'],
    ['FOO.Example.COM', 'foo.example.com'],
    ['foo.example.com.', 'foo.example.com'],
    ['foo.example.com:9012', 'foo.example.com'],
    ['foo.example.com.:9012', 'foo.example.com'],
    ['foo.example.com:', 'foo.example.com'],
    ['localhost', 'localhost'],
    ['my_host.example', 'my_host.example'],
    ['127.0.0.1:80', '127.0.0.1'],
    ['xn--caf-dma.example', 'xn--caf-dma.example'],
    ['', null],
    ['.', null],
    ['..', null],
    ['foo..example', null],
    ['foo.example..', null],
    ['.foo.example', null],
    ['-foo.example', null],
    ['foo.example-', null],
    ['foo example', null],
    ['foo.example:port', null],
    ['foo.example:123456', null],
    ['[::1]:80', null],
    ['a@b.example', null],
    ['*.example', null],
    ['caf\u00e9.example', null],
    ['foo.example/x', null],
    [`${'a'.repeat(64)}.example`, null],
    [`${'a'.repeat(63)}.example`, `${'a'.repeat(63)}.example`],
    [Array(64).fill('aaa').join('.'), null],
  ];
  for (const [host, name] of table) assert.equal(normalizeHost(host), name, host);
});

test('normalizeHost() is idempotent and blind to case, port and trailing dot', () => {
  const label = fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,8}[a-z0-9])?$/);
  const name = fc.array(label, { minLength: 1, maxLength: 6 }).map((labels) => labels.join('.'));
  fc.assert(
    fc.property(name, fc.boolean(), fc.boolean(), fc.integer({ min: 0, max: 65_535 }), (host, upper, dot, port) => {
      const written = `${upper ? host.toUpperCase() : host}${dot ? '.' : ''}${port === 0 ? '' : `:${port}`}`;
      assert.equal(normalizeHost(written), host);
      assert.equal(normalizeHost(host), host);
    }),
  );
});

test('normalizeHost() answers any text, and only with a legal name', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 300 }), (text) => {
      const name = normalizeHost(text);
      if (name !== null) assert.match(name, /^[a-z0-9_.-]{1,253}$/);
    }),
  );
});

test('toAsciiName() writes Unicode as Punycode and refuses what is no name', () => {
  const table: [string, string | null][] = [
    ['Caf\u00e9.example', 'xn--caf-dma.example'],
    ['foo.example.', 'foo.example'],
    ['\uff46oo.example', 'foo.example'],
    ['user@foo.example', null],
    ['foo.example/path', null],
    ['foo.example:80', null],
    ['0x7f.1', null],
    ['a'.repeat(64), null],
    ['', null],
  ];
  for (const [name, ascii] of table) assert.equal(toAsciiName(name), ascii, name);
});

test('isWithin() compares whole labels', () => {
  assert.equal(isWithin('a.example', 'example'), true);
  assert.equal(isWithin('example', 'example'), true);
  assert.equal(isWithin('notexample', 'example'), false);
});
