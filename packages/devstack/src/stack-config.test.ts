import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseStackConfig } from './stack-config.ts';

test('parseStackConfig() has defaults for everything', () => {
  assert.deepEqual(parseStackConfig({ PATH: '/bin' }, '/clone'), {
    home: '/clone/.tunnox',
    portBase: 9000,
    restart: true,
    demo: true,
    redis: { kind: 'none' },
  });
});

test('parseStackConfig() takes a plain Redis before Upstash', () => {
  const upstash = { UPSTASH_REDIS_REST_URL: 'https://x.upstash.io', UPSTASH_REDIS_REST_TOKEN: 't' };
  assert.deepEqual(parseStackConfig(upstash, '/').redis, { kind: 'upstash', url: 'https://x.upstash.io', token: 't' });
  const both = { ...upstash, REDIS_URL: 'redis://cache' };
  assert.deepEqual(parseStackConfig(both, '/').redis, { kind: 'plain', redisUrl: 'redis://cache' });
});

test('parseStackConfig() names what it cannot use', () => {
  for (const [environment, expected] of [
    [{ TUNNOX_PORT_BASE: 'x' }, /TUNNOX_PORT_BASE must be a whole number from 1024/],
    [{ TUNNOX_PORT_BASE: '65500' }, /TUNNOX_PORT_BASE must be a whole number/],
    [{ TUNNOX_RESTART: 'perhaps' }, /TUNNOX_RESTART must be on or off/],
    [{ TUNNOX_HOEM: '/x' }, /TUNNOX_HOEM is not known: did you mean TUNNOX_HOME\?/],
  ] as const) {
    assert.throws(() => parseStackConfig(environment, '/'), expected);
  }
});
