import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseGatewaysConfig } from './config.ts';

test('parseGatewaysConfig() takes a front for Postgres, for Redis, or both', () => {
  const databaseUrl = 'postgresql://u:p@db/tunnox';
  const redis = { REDIS_URL: 'redis://cache', UPSTASH_REDIS_REST_TOKEN: '0123456789abcdef' };
  assert.deepEqual(parseGatewaysConfig({ DATABASE_URL: databaseUrl }), {
    host: '127.0.0.1',
    neon: { port: 9002, databaseUrl },
    upstash: null,
  });
  const both = parseGatewaysConfig({ DATABASE_URL: databaseUrl, ...redis, TUNNOX_GATEWAYS_UPSTASH_PORT: '7' });
  assert.deepEqual(both.upstash, { port: 7, redisUrl: 'redis://cache', token: '0123456789abcdef' });
  assert.equal(parseGatewaysConfig(redis).neon, null);
});

test('parseGatewaysConfig() refuses nothing to do, a Redis without a token, and unknown variables', () => {
  assert.throws(() => parseGatewaysConfig({}), /DATABASE_URL must be set/);
  assert.throws(() => parseGatewaysConfig({ REDIS_URL: 'redis://cache' }), /UPSTASH_REDIS_REST_TOKEN must be set/);
  assert.throws(
    () => parseGatewaysConfig({ DATABASE_URL: 'postgresql://u:p@db/x', TUNNOX_GATEWAYS_PROT: '1' }),
    /TUNNOX_GATEWAYS_PROT is not known/,
  );
});
