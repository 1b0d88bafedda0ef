import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '@tunnox/config/config-error';
import { parseRelayConfig } from './config.ts';

const LEAST = {
  TUNNOX_API_URL: 'https://api.example.com',
  TUNNOX_STATE_DIR: '/var/lib/tunnox',
  TUNNOX_PUBLIC_ADDRESS: 'relay.example.com',
};

function problems(change: Record<string, string>): string[] {
  try {
    parseRelayConfig({ ...LEAST, ...change });
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems.map(({ key, message }) => `${key} ${message}`);
  }
  return [];
}

test('parseRelayConfig() has the documented defaults', () => {
  assert.deepEqual(parseRelayConfig(LEAST), {
    apiUrl: 'https://api.example.com',
    apiCaFile: null,
    joinToken: null,
    stateDir: '/var/lib/tunnox',
    bind: '0.0.0.0',
    publicAddress: 'relay.example.com',
    publicIpv4: null,
    publicIpv6: null,
    internalAddress: null,
    region: 'default',
    ports: {
      agentTcp: 8080,
      agentWs: 8081,
      http: 80,
      https: 443,
      bridge: 8443,
      metrics: 9090,
      public: { from: 20_000, to: 20_099 },
    },
    metricsBind: '127.0.0.1',
    tls: [],
    redis: { kind: 'none' },
    trustedProxies: [],
    insecureAgents: false,
    warningPage: true,
    drainMs: 30_000,
    logLevel: 'info',
  });
});

test('parseRelayConfig() reads what is set', () => {
  const config = parseRelayConfig({
    ...LEAST,
    TUNNOX_TLS_CERT_FILE: 'a.pem, b.pem',
    TUNNOX_TLS_KEY_FILE: 'a-key.pem, b-key.pem',
    REDIS_URL: 'redis://:secret@redis:6379/1',
    TUNNOX_TRUSTED_PROXIES: '10.0.0.0/8,2001:db8::/32',
    TUNNOX_DRAIN_SECONDS: '0',
    TUNNOX_SERVER: 'https://for-the-command.example.com',
  });
  assert.deepEqual(config.tls, [
    { certFile: 'a.pem', keyFile: 'a-key.pem' },
    { certFile: 'b.pem', keyFile: 'b-key.pem' },
  ]);
  assert.deepEqual(config.redis, { kind: 'plain', url: 'redis://:secret@redis:6379/1' });
  assert.deepEqual(config.trustedProxies, ['10.0.0.0/8', '2001:db8::/32']);
  assert.equal(config.drainMs, 0);
});

test('parseRelayConfig() refuses what cannot work, and names the variable', () => {
  const cases: [change: Record<string, string>, expected: string[]][] = [
    [{ TUNNOX_API_URL: '' }, ['TUNNOX_API_URL must be set']],
    [{ TUNNOX_DRAIN_MS: '5' }, ['TUNNOX_DRAIN_MS is not known: remove it']],
    [{ TUNNOX_HTTP_PROT: '5' }, ['TUNNOX_HTTP_PROT is not known: did you mean TUNNOX_HTTP_PORT?']],
    [{ TUNNOX_HTTP_PORT: 'NaN' }, ['TUNNOX_HTTP_PORT must be a whole number from 1 to 65535']],
    [
      { TUNNOX_PUBLIC_ADDRESS: 'https://x' },
      ['TUNNOX_PUBLIC_ADDRESS must be a host name or an IP address without a port'],
    ],
    [{ TUNNOX_HTTP_PORT: '443' }, ['TUNNOX_HTTPS_PORT must not be the same port as TUNNOX_HTTP_PORT']],
    [{ TUNNOX_HTTP_PORT: '20005' }, ['TUNNOX_HTTP_PORT must lie outside of TUNNOX_PUBLIC_PORTS']],
    [
      { TUNNOX_TLS_CERT_FILE: 'a.pem' },
      ['TUNNOX_TLS_KEY_FILE must name one key for each file of TUNNOX_TLS_CERT_FILE'],
    ],
    [
      { UPSTASH_REDIS_REST_URL: 'https://u.example.com' },
      ['UPSTASH_REDIS_REST_TOKEN must be set together with UPSTASH_REDIS_REST_URL'],
    ],
    [
      { REDIS_URL: 'redis://r', UPSTASH_REDIS_REST_URL: 'https://u', UPSTASH_REDIS_REST_TOKEN: 't' },
      ['REDIS_URL must not be set together with UPSTASH_REDIS_REST_URL: keep one of them'],
    ],
    [
      { TUNNOX_TRUSTED_PROXIES: '10.0.0.0/33' },
      ["TUNNOX_TRUSTED_PROXIES must hold ranges such as 10.0.0.0/8: '10.0.0.0/33' is none"],
    ],
  ];
  for (const [change, expected] of cases) assert.deepEqual(problems(change), expected);
});
