import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Env, parseSettings } from './env.ts';

const GOOD = {
  DATABASE_URL: 'postgres://user:pass-word@localhost/tunnox',
  OPERATOR_KEY: 'k'.repeat(32),
  ENCRYPTION_KEY: Buffer.alloc(32, 1).toString('base64'),
  BASE_DOMAINS: 'Tunnox.example, second.example ,',
  PUBLIC_HTTP_URL: 'http://{host}:9012',
  PUBLIC_HTTPS_URL: 'https://{host}',
  API_HOSTS: 'api.tunnox.example',
};

const parse = (change: Record<string, string | undefined>) => parseSettings({ ...GOOD, ...change } as unknown as Env);

test('parseSettings() reads lists, keys and templates', () => {
  const settings = parse({});
  assert.deepEqual(settings.baseDomains, ['tunnox.example', 'second.example']);
  assert.deepEqual(settings.apiHosts, ['api.tunnox.example']);
  assert.equal(settings.encryptionKey.length, 32);
  assert.equal(settings.neonFetchEndpoint, undefined);
  assert.equal(settings.redis, null);
});

test('parseSettings() reads the rate limit and the origins, which have defaults', () => {
  assert.deepEqual([parse({}).rateLimit, parse({}).corsOrigins], [{ perS: 100, burst: 200 }, []]);
  const settings = parse({
    RATE_LIMIT_PER_S: '2.5',
    RATE_LIMIT_BURST: '7',
    CORS_ORIGINS: 'https://A.example, http://b:1',
  });
  assert.deepEqual(settings.rateLimit, { perS: 2.5, burst: 7 });
  assert.deepEqual(settings.corsOrigins, ['https://a.example', 'http://b:1']);
});

test('parseSettings() reads the algorithm of log-ins', () => {
  assert.equal(parse({}).sessionAlgorithm, 'ES256');
  for (const name of ['ES256', 'RS256', 'HS256']) {
    assert.equal(parse({ SESSION_ALGORITHM: name }).sessionAlgorithm, name);
  }
});

test('parseSettings() takes a resolver over HTTPS, and without the S on the same machine', () => {
  assert.equal(parse({}).dnsResolverUrl, 'https://cloudflare-dns.com/dns-query');
  for (const url of ['https://dns.example/dns-query', 'http://127.0.0.1:8053/dns-query', 'http://[::1]/q']) {
    assert.equal(parse({ DNS_RESOLVER_URL: url }).dnsResolverUrl, url);
  }
});

test('parseSettings() wants both Redis settings or none', () => {
  const redis = { UPSTASH_REDIS_REST_URL: 'https://redis.example', UPSTASH_REDIS_REST_TOKEN: 'token' };
  assert.deepEqual(parse(redis).redis, { url: 'https://redis.example', token: 'token' });
  assert.throws(() => parse({ ...redis, UPSTASH_REDIS_REST_TOKEN: undefined }), /UPSTASH_REDIS_REST_TOKEN/);
});

test('parseSettings() names the setting that is wrong, and no value', () => {
  const wrong: [string, string | undefined][] = [
    ['DATABASE_URL', 'mysql://secret-value'],
    ['DATABASE_URL', undefined],
    ['OPERATOR_KEY', 'secret-value'],
    ['ENCRYPTION_KEY', 'secret-value'],
    ['ENCRYPTION_KEY', Buffer.alloc(16).toString('base64')],
    ['BASE_DOMAINS', ' , '],
    ['RATE_LIMIT_PER_S', '0'],
    ['RATE_LIMIT_BURST', '1.5'],
    ['CORS_ORIGINS', 'https://secret-value/path'],
    ['CORS_ORIGINS', 'secret-value'],
    ['DNS_RESOLVER_URL', 'http://secret-value/dns-query'],
    ['DNS_RESOLVER_URL', 'ftp://127.0.0.1/secret-value'],
    ['SESSION_ALGORITHM', 'none'],
    ['SESSION_ALGORITHM', 'secret-value'],
    ['PUBLIC_HTTP_URL', 'http://secret-value'],
    ['API_HOSTS', ''],
    ['NEON_FETCH_ENDPOINT', 'secret-value'],
  ];
  for (const [name, value] of wrong) {
    assert.throws(
      () => parse({ [name]: value }),
      (error: Error) => error.message.includes(name) && !error.message.includes('secret-value'),
      name,
    );
  }
});

test('parseSettings() wants an operator key that can stand in a header', () => {
  for (const key of ['k'.repeat(31), `${'k'.repeat(32)} `, `${'k'.repeat(32)}é`]) {
    assert.throws(() => parse({ OPERATOR_KEY: key }), /OPERATOR_KEY/, key);
  }
  assert.equal(parse({ OPERATOR_KEY: `a.b.${'k'.repeat(32)}` }).operatorKey.length, 36);
});
