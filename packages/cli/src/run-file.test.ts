import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRunFile } from './run-file.ts';
import { UsageError } from './usage-error.ts';

test('parseRunFile() reads every key', () => {
  const file = parseRunFile(
    'server: https://a.example\nclient_id: 600000001\nauth_code: s\nallow: [10.0.0.0/8]\ninsecure_targets: true\nbind: "::1"\n',
    'f',
  );
  assert.deepEqual(file, {
    server: 'https://a.example',
    clientId: 600_000_001,
    authCode: 's',
    apiKey: undefined,
    allow: [{ ranges: [{ network: '10.0.0.0', prefix: 8, family: 'ipv4' }], portFrom: 1, portTo: 65_535 }],
    insecureTargets: true,
    bind: '::1',
  });
});

test('parseRunFile() reads an empty file', () => {
  assert.deepEqual(parseRunFile('', 'f').allow, undefined);
});

for (const [text, pattern] of [
  ['clientid: 1', /clientid/],
  ['client_id: abc', /client_id/],
  ['auth_code: x', /auth_code: goes together with client_id/],
  ['allow: [example.com]', /allow: Cannot read the allow rule/],
  ['bind: localhost', /bind: must be an IP address/],
  ['a: [', /as YAML/],
  ['- 1', /the file/],
] as const) {
  test(`parseRunFile() names what is wrong with '${text}'`, () => {
    assert.throws(
      () => parseRunFile(text, 'tunnox.yaml'),
      (error) => error instanceof UsageError && pattern.test(error.message) && error.message.includes('tunnox.yaml'),
    );
  });
}
