import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { needs } from '@tunnox/testing/needs';
import { type RedisFixture, startRedis } from '@tunnox/testing/redis-fixture';
import { routeStoreContract } from './contract.ts';
import { openIoredisRouteStore } from './ioredis-route-store.ts';
import { RouteStoreUnavailable } from './route-store.ts';

const nodeTtlMs = 60;
const node = {
  node_id: 'node-001',
  incarnation: '01J00000000000000000000000',
  group: 'default',
  region: 'default',
  bridge: '127.0.0.1:1',
  agent_tcp: '127.0.0.1:2',
  agent_ws: '127.0.0.1:3',
  fingerprint: 'a'.repeat(64),
  status: 'online',
} as const;

routeStoreContract(
  'openIoredisRouteStore()',
  async () => {
    const redis = await startRedis();
    const store = openIoredisRouteStore({ url: redis.url, nodeTtlMs, timeoutMs: 2000 });
    return { store, expireNodes: () => delay(nodeTtlMs + 20), stop: () => redis.stop() };
  },
  needs('redis-server'),
);

describe('openIoredisRouteStore()', { skip: needs('redis-server') }, () => {
  let redis: RedisFixture;
  before(async () => {
    redis = await startRedis();
  });
  after(() => redis?.stop());

  test('fails fast while Redis is frozen and works again when it is back', async () => {
    const store = openIoredisRouteStore({ url: redis.url, timeoutMs: 100 });
    try {
      await store.putNode(node);
      redis.freeze();
      await assert.rejects(store.getNode('node-001'), RouteStoreUnavailable);
      await assert.rejects(store.getNode('node-001'), RouteStoreUnavailable);
      const startedAt = performance.now();
      for (let call = 0; call < 100; call += 1) await assert.rejects(store.getNode('node-001'), RouteStoreUnavailable);
      assert.ok(performance.now() - startedAt < 100, 'a hundred calls cost less than one time-out');
      redis.thaw();
      await eventually(() => store.getNode('node-001'));
    } finally {
      redis.thaw();
      await store.close();
    }
  });

  test('fails fast when nothing listens, and finds a Redis that starts later', async () => {
    const later = await startRedis();
    await later.pause();
    const store = openIoredisRouteStore({ url: later.url, timeoutMs: 100 });
    try {
      await assert.rejects(store.resolve('foo.example.com'), RouteStoreUnavailable);
      await later.resume();
      await eventually(() => store.putNode(node));
      assert.deepEqual(await store.getNode('node-001'), node);
    } finally {
      await store.close();
      await later.stop();
    }
  });

  test('reads what is not an envelope as a miss and writes over it', async () => {
    const { Redis } = await import('ioredis');
    const raw = new Redis(redis.url, { protocol: 2 });
    const store = openIoredisRouteStore({ url: redis.url });
    try {
      await raw.set('tunnox:node:node-002', 'not json');
      assert.equal(await store.getNode('node-002'), null);
      assert.equal(await store.putNode({ ...node, node_id: 'node-002' }), true);
      assert.equal((await store.getNode('node-002'))?.node_id, 'node-002');
    } finally {
      raw.disconnect();
      await store.close();
    }
  });
});

async function eventually(call: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      if (await call()) return;
    } catch (error) {
      assert.ok(error instanceof RouteStoreUnavailable);
    }
    await delay(20);
  }
}
