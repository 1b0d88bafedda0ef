import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openIoredisRouteStore } from '@tunnox/route-store/ioredis-route-store';
import type { RouteStore } from '@tunnox/route-store/route-store';
import { needs } from '@tunnox/testing/needs';
import { type RedisFixture, startRedis } from '@tunnox/testing/redis-fixture';
import type { FakeRelay } from './fake-relay.ts';
import { instanceId } from './fake-relay.ts';
import { LiveHarness, type Tenant } from './live-harness.ts';

async function attached(live: LiveHarness, tenant: Tenant, relay: FakeRelay) {
  const session = await live.session(tenant);
  const { client_id } = session;
  const host = await live.domain(tenant, client_id);
  const agent = { client_id, instance_id: instanceId(), connect_seq: 1, generation: 1, mode: 'attach' as const };
  const [result] = await relay.attach(agent);
  assert.equal(result?.outcome, 'accepted');
  return { client_id, host, agent, session };
}

async function placeOf(relay: FakeRelay, host: string): Promise<string | null> {
  const answer = await relay.lookup(host);
  assert.ok(answer.found);
  return answer.upstreams[0]?.node?.node_id ?? null;
}

describe('live state with Redis', { skip: needs('redis-server') }, () => {
  let redis: RedisFixture;
  let live: LiveHarness;
  let store: RouteStore;
  let tenant: Tenant;
  let relay: FakeRelay;
  before(async () => {
    redis = await startRedis();
    live = await LiveHarness.start({ redisUrl: redis.url });
    // As a relay reads it, over Redis' own protocol.
    store = openIoredisRouteStore({ url: redis.url, timeoutMs: 1000 });
    tenant = await live.tenant();
    relay = await live.relay();
  });
  after(async () => {
    await store?.close();
    await live?.stop();
    await redis?.stop();
  });

  /** Copies are written after the answer. */
  async function eventually<T>(read: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
    const deadline = Date.now() + 3000;
    for (;;) {
      const value = await read();
      if (holds(value)) return value;
      assert.ok(Date.now() < deadline, `within three seconds; last: ${JSON.stringify(value)}`);
    }
  }

  test('a look-up fills Redis, from which relays then resolve the same answer', async () => {
    const { host } = await attached(live, tenant, relay);
    const answer = await relay.lookup(host);
    assert.ok(answer.found && answer.upstreams[0]?.node);
    await store.putNode(answer.upstreams[0].node);
    assert.deepEqual(
      await eventually(
        () => store.resolve(host),
        (found) => found !== null,
      ),
      answer,
    );
  });

  test('a deleted name leaves a tombstone that a late look-up cannot undo', async () => {
    const { host } = await attached(live, tenant, relay);
    await relay.lookup(host);
    const held = await eventually(
      () => store.getRoute(host),
      (record) => record !== null,
    );
    const { domains } = await live.api<{ domains: { domain_id: number; full_domain: string }[] }>(
      'GET',
      '/domains?limit=100',
      undefined,
      tenant.apiKey,
    );
    const { domain_id } = domains.find((domain) => domain.full_domain === host)!;
    await live.api('DELETE', `/domains/${domain_id}`, undefined, tenant.apiKey);
    const tombstone = await store.getRoute(host);
    assert.equal(tombstone?.binding, null);
    assert.equal(await store.putRoute(host, held!), false);
  });

  test('a detach and a relay that leaves are seen in Redis', async () => {
    const { client_id, agent } = await attached(live, tenant, relay);
    await eventually(
      () => store.getPresence(client_id),
      (record) => record?.presence?.instance_id === agent.instance_id,
    );
    await relay.detach(agent);
    await eventually(
      () => store.getPresence(client_id),
      (record) => record !== null && record.presence === null,
    );
    const leaving = await live.relay();
    const peers = (await (await relay.call('/peers')).json()) as { peers: Parameters<RouteStore['putNode']>[0][] };
    const address = peers.peers.find((peer) => peer.node_id === leaving.nodeId)!;
    await store.putNode(address);
    leaving.send({ type: 'leaving' });
    await eventually(
      () => store.getNode(leaving.nodeId),
      (node) => node === null,
    );
    assert.equal(await store.putNode(address), false, 'its own late renewal does not bring it back');
  });

  test('nothing fails while Redis is flushed, frozen or gone', async () => {
    const { host, client_id } = await attached(live, tenant, relay);
    const gone = [async () => redis.freeze(), async () => redis.thaw(), () => redis.pause(), () => redis.resume()];
    for (const step of gone) {
      await step();
      assert.equal(await placeOf(relay, host), relay.nodeId);
      const other = await live.domain(tenant, client_id);
      assert.equal(await placeOf(relay, other), relay.nodeId);
      const moved = { client_id, instance_id: instanceId(), connect_seq: 1, generation: 1, mode: 'attach' as const };
      assert.equal((await relay.attach(moved))[0]?.outcome, 'accepted');
    }
    assert.deepEqual(await live.sql('select id from outbox where delivered_at is null'), []);
  });
});

describe('live state without Postgres', () => {
  let live: LiveHarness;
  let tenant: Tenant;
  let one: FakeRelay;
  let two: FakeRelay;
  before(async () => {
    live = await LiveHarness.start();
    tenant = await live.tenant();
    one = await live.relay();
    two = await live.relay();
  });
  after(() => live?.stop());

  test('known names answer, agents reconnect, relays stay; writes get 503 and a time to come back', async () => {
    const { client_id, host, agent, session } = await attached(live, tenant, one);
    assert.equal(await placeOf(two, host), one.nodeId);
    await live.plane.postgres.pause();
    try {
      assert.equal(await placeOf(two, host), one.nodeId);
      const [moved] = await two.attach({ ...agent, connect_seq: 2 });
      assert.equal(moved?.outcome, 'accepted');
      assert.equal(moved?.outcome === 'accepted' && moved.policy.bindings[0]?.endpoint, host);
      assert.equal(await placeOf(one, host), two.nodeId);
      await one.detach(agent);
      assert.equal(await placeOf(one, host), two.nodeId);
      const load = { clients: 1, tunnels: 1, cpu: 0.5, memory_bytes: 1, bandwidth_bytes_per_s: 1 };
      one.send({ type: 'load', ...load });
      one.send({ type: 'config_applied', client_id, version: session.config.version + 9, problems: [] });
      await one.ping();
      one.drop();
      await one.open();
      assert.equal((await one.call('/keys')).status, 200);

      const unknown = await one.call('/lookup?endpoint=never-asked.tunnox.localhost');
      assert.equal(unknown.status, 503);
      const again = await live.trySession({ client_id, auth_code: session.auth_code ?? '' });
      assert.equal(again.status, 503);
      assert.ok(again.headers.get('retry-after'));
      const stranger = { ...agent, client_id: 600_999_999 };
      assert.equal((await one.call('/attach', { body: { clients: [stranger] } })).status, 503);
    } finally {
      await live.plane.postgres.resume();
    }
    assert.equal((await one.lookup('never-asked.tunnox.localhost')).found, false);
    const [back] = await one.attach({ ...agent, connect_seq: 3 });
    assert.equal(back?.outcome, 'accepted');
    assert.equal(await placeOf(two, host), one.nodeId);
  });
});
