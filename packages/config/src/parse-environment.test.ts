import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { ConfigError } from './config-error.ts';
import { parseEnvironment } from './parse-environment.ts';
import { flag, integer, list, port, portRange, url } from './values.ts';

const spec = {
  prefix: 'TUNNOX_',
  secrets: ['TUNNOX_TOKEN'] as const,
  others: ['TUNNOX_HOME'],
  shape: {
    TUNNOX_PORT: port().default(8080),
    TUNNOX_TOKEN: z.string().optional(),
    TUNNOX_API_URL: url(['http:', 'https:']),
  },
};
const api = { TUNNOX_API_URL: 'http://localhost:9000/' };

function problemsOf(environment: Record<string, string>, files: Record<string, string> = {}): string[] {
  try {
    parseEnvironment(environment, spec, { readTextFile: fakeFiles(files) });
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems.map(({ key, message }) => `${key} ${message}`);
  }
  return [];
}

function fakeFiles(files: Record<string, string>): (path: string) => string {
  return (path) => {
    const text = files[path];
    if (text === undefined) throw new Error(`ENOENT: no such file, open '${path}'`);
    return text;
  };
}

test('parseEnvironment() gives typed values and defaults, and takes an empty value as not set', () => {
  const config = parseEnvironment({ ...api, TUNNOX_PORT: '', PATH: '/bin', TUNNOX_HOME: '/x' }, spec);
  assert.deepEqual(config, { TUNNOX_PORT: 8080, TUNNOX_API_URL: 'http://localhost:9000' });
});

test('parseEnvironment() names every missing, malformed and unknown variable at once', () => {
  assert.deepEqual(problemsOf({ TUNNOX_PORT: 'NaN', TUNNOX_PROT: '1', TUNNOX_SOMETHING_ELSE: '1' }), [
    'TUNNOX_PROT is not known: did you mean TUNNOX_PORT?',
    'TUNNOX_SOMETHING_ELSE is not known: remove it',
    'TUNNOX_PORT must be a whole number from 1 to 65535',
    'TUNNOX_API_URL must be set',
  ]);
});

test('parseEnvironment() reads a secret from a file, and refuses it given twice or unreadable', () => {
  const files = { '/run/secret': 'jt_123\n' };
  const config = parseEnvironment({ ...api, TUNNOX_TOKEN_FILE: '/run/secret' }, spec, {
    readTextFile: fakeFiles(files),
  });
  assert.equal(config.TUNNOX_TOKEN, 'jt_123');
  assert.deepEqual(problemsOf({ ...api, TUNNOX_TOKEN_FILE: '/run/secret', TUNNOX_TOKEN: 'a' }, files), [
    'TUNNOX_TOKEN_FILE must not be set together with TUNNOX_TOKEN: keep one of them',
  ]);
  assert.deepEqual(problemsOf({ ...api, TUNNOX_TOKEN_FILE: '/none' }, files), [
    "TUNNOX_TOKEN_FILE names a file that cannot be read: ENOENT: no such file, open '/none'",
  ]);
});

test('values refuse what only looks right', () => {
  const accepts: [z.ZodType, string, unknown][] = [
    [integer(-5, 5), '-5', -5],
    [flag(), 'Off', false],
    [flag(), 'YES', true],
    [list(), ' a, ,b', ['a', 'b']],
    [portRange(), '20000-20099', { from: 20_000, to: 20_099 }],
    [url(['https:']), 'https://x.example/a/', 'https://x.example/a'],
  ];
  for (const [schema, text, value] of accepts) assert.deepEqual(schema.parse(text), value);
  const refuses: [z.ZodType, string][] = [
    [integer(0, 10), '1e1'],
    [integer(0, 10), '0x1'],
    [integer(0, 10), '11'],
    [integer(0, 10), ''],
    [port(), '0'],
    [port(), '65536'],
    [flag(), 'maybe'],
    [portRange(), '5-4'],
    [portRange(), '1-70000'],
    [url(['https:']), 'http://x.example'],
    [url(['https:']), 'x.example'],
  ];
  for (const [schema, text] of refuses) assert.equal(schema.safeParse(text).success, false, text);
});
