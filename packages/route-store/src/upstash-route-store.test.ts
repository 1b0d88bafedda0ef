import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { UpstashGateway } from '@tunnox/gateways/upstash-gateway';
import { needs } from '@tunnox/testing/needs';
import { startRedis } from '@tunnox/testing/redis-fixture';
import { routeStoreContract } from './contract.ts';
import { RouteStoreUnavailable } from './route-store.ts';
import { openUpstashRouteStore } from './upstash-route-store.ts';

const TOKEN = 'a token';
const skip = needs('redis-server');

async function startUpstash() {
  const redis = await startRedis();
  const deps = { log: { warn: () => {} } };
  const gateway = new UpstashGateway(deps, { host: '127.0.0.1', port: 0, redisUrl: redis.url, token: TOKEN });
  await gateway.start();
  const stop = async () => {
    await gateway.stop();
    await redis.stop();
  };
  return { redis, gateway, stop };
}

routeStoreContract(
  'openUpstashRouteStore()',
  async () => {
    const { gateway, stop } = await startUpstash();
    const nodeTtlMs = 100;
    const store = openUpstashRouteStore({ url: gateway.url, token: TOKEN, nodeTtlMs, timeoutMs: 2000 });
    return { store, expireNodes: () => delay(nodeTtlMs + 20), stop };
  },
  skip,
);

test('openUpstashRouteStore() fails in time while Redis is frozen, then at once', { skip }, async () => {
  const { redis, gateway, stop } = await startUpstash();
  const store = openUpstashRouteStore({ url: gateway.url, token: TOKEN, timeoutMs: 100 });
  try {
    assert.equal(await store.getRoute('foo.example.com'), null);
    redis.freeze();
    await assert.rejects(store.getRoute('foo.example.com'), RouteStoreUnavailable);
    await assert.rejects(store.getRoute('foo.example.com'), RouteStoreUnavailable);
    const startedAt = performance.now();
    for (let call = 0; call < 100; call += 1) await assert.rejects(store.getRoute('foo.example.com'));
    assert.ok(performance.now() - startedAt < 100, 'a hundred calls cost less than one time-out');
  } finally {
    redis.thaw();
    await store.close();
    await stop();
  }
});

test('openUpstashRouteStore() refuses a wrong token as unavailable', { skip }, async () => {
  const { gateway, stop } = await startUpstash();
  try {
    const store = openUpstashRouteStore({ url: gateway.url, token: 'wrong' });
    await assert.rejects(store.getRoute('foo.example.com'), RouteStoreUnavailable);
  } finally {
    await stop();
  }
});
