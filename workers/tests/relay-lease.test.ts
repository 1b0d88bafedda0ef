import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import type { FakeRelay } from './fake-relay.ts';
import { instanceId } from './fake-relay.ts';
import { LiveHarness, type Tenant } from './live-harness.ts';

const LEASE_MS = 1500;

describe('relay lease and messages', () => {
  let live: LiveHarness;
  let tenant: Tenant;
  before(async () => {
    live = await LiveHarness.start({ relayLeaseMs: LEASE_MS });
    tenant = await live.tenant();
  });
  after(() => live?.stop());

  /** Keeps sessions alive as relays do; ends with the test. */
  function beat(t: { after: (stop: () => void) => void }, ...relays: FakeRelay[]): void {
    const timer = setInterval(() => relays.forEach((relay) => relay.sendRaw('ping')), LEASE_MS / 5);
    t.after(() => clearInterval(timer));
  }

  async function attached(relay: FakeRelay) {
    const { client_id } = await live.session(tenant);
    const host = await live.domain(tenant, client_id);
    const agent = { client_id, instance_id: instanceId(), connect_seq: 1, generation: 1, mode: 'attach' as const };
    const [result] = await relay.attach(agent);
    assert.equal(result?.outcome, 'accepted');
    return { client_id, host, agent };
  }

  async function placeOf(relay: FakeRelay, host: string): Promise<string | null> {
    const answer = await relay.lookup(host);
    assert.ok(answer.found);
    return answer.upstreams[0]?.node?.node_id ?? null;
  }

  test('a relay that dies without a word takes its clients away within the lease, and is offline', async (t) => {
    const survivor = await live.relay();
    const dying = await live.relay();
    beat(t, survivor);
    const { host, client_id } = await attached(dying);
    assert.equal(await placeOf(survivor, host), dying.nodeId);
    await survivor.receive('peers', (message) => message.peers.some((peer) => peer.node_id === dying.nodeId));
    survivor.forget('peers');
    const silentAt = Date.now();
    dying.drop();
    await survivor.receive('peers', (message) => !message.peers.some((peer) => peer.node_id === dying.nodeId));
    const tookMs = Date.now() - silentAt;
    assert.ok(tookMs <= LEASE_MS + 500, `offline after ${tookMs} ms`);
    assert.equal(await placeOf(survivor, host), null);
    const found = await live.api<{ status: string }>('GET', `/clients/${client_id}`);
    assert.equal(found.status, 'offline');
    const [row] = await live.sql<{ status: string }>('select status from relay_nodes where node_id = $1', dying.nodeId);
    assert.equal(row?.status, 'offline');
  });

  test('a session that is lost and resumed within the lease changes nothing', async (t) => {
    const relay = await live.relay();
    const { host } = await attached(relay);
    relay.drop();
    await relay.open();
    beat(t, relay);
    assert.equal(await placeOf(relay, host), relay.nodeId);
    assert.deepEqual(relay.waiting('resync'), []);
  });

  test('heartbeats alone keep a relay alive', async (t) => {
    const relay = await live.relay();
    const watcher = await live.relay();
    beat(t, relay, watcher);
    const { host } = await attached(relay);
    const until = Date.now() + 2.5 * LEASE_MS;
    while (Date.now() < until) await relay.ping();
    assert.equal(await placeOf(watcher, host), relay.nodeId);
  });

  test('a thawed relay loses its session, is told to announce, and disturbs nobody', async (t) => {
    const frozen = await live.relay();
    const other = await live.relay();
    beat(t, other);
    const moved = await attached(frozen);
    const stayed = await attached(frozen);
    // Silent, its connection open: as under SIGSTOP.
    await other.receive('peers', (message) => message.peers.some((peer) => peer.node_id === frozen.nodeId));
    other.forget('peers');
    await other.receive('peers', (message) => !message.peers.some((peer) => peer.node_id === frozen.nodeId));
    const newer = { ...moved.agent, instance_id: instanceId() };
    await other.attach(newer);
    assert.equal(await frozen.closed(), 4003);
    await frozen.open();
    beat(t, frozen);
    await frozen.receive('resync');
    const results = await frozen.attach({ ...moved.agent, mode: 'announce' }, { ...stayed.agent, mode: 'announce' });
    assert.deepEqual(
      results.map((result) => result.outcome),
      ['refused', 'accepted'],
    );
    await frozen.detach(moved.agent);
    assert.equal(await placeOf(other, moved.host), other.nodeId);
    assert.equal(await placeOf(other, stayed.host), frozen.nodeId);
  });

  test('messages that were not acknowledged come again, those that were do not', async (t) => {
    const relay = await live.relay();
    const { client_id } = await attached(relay);
    relay.acknowledges = false;
    await live.api('POST', `/clients/${client_id}/disconnect`);
    const first = await relay.receive('close_client');
    relay.drop();
    await relay.open(first.seq - 1);
    const again = await relay.receive('close_client');
    assert.deepEqual(again, first);
    relay.send({ type: 'ack', seq: again.seq });
    await relay.ping();
    relay.drop();
    await relay.open(0);
    beat(t, relay);
    await relay.ping();
    assert.deepEqual(relay.waiting('close_client'), []);
  });

  test('messages that come while the session is away are sent when it is back', async (t) => {
    const relay = await live.relay();
    const { client_id } = await attached(relay);
    relay.drop();
    await live.api('POST', `/clients/${client_id}/disconnect`);
    await relay.open();
    beat(t, relay);
    assert.equal((await relay.receive('close_client')).client_id, client_id);
  });

  test('a relay that knows later numbers than the control plane is told to announce', async (t) => {
    const relay = await live.relay();
    beat(t, relay);
    relay.drop();
    await relay.open(5000);
    await relay.receive('resync');
    const { client_id } = await attached(relay);
    await live.api('POST', `/clients/${client_id}/disconnect`);
    assert.ok((await relay.receive('close_client')).seq > 5000);
  });

  test('the sweep asks relays of which nothing was heard, and spares those that live', async (t) => {
    const relay = await live.relay();
    beat(t, relay);
    await live.sql(
      `update relay_nodes set last_heartbeat_at = now() - interval '1 hour' where node_id = $1`,
      relay.nodeId,
    );
    await live.plane.runScheduled();
    const [row] = await live.sql<{ status: string }>('select status from relay_nodes where node_id = $1', relay.nodeId);
    assert.equal(row?.status, 'online');
  });

  test('node ids stay with their keys also when the storage of the objects is lost', async (t) => {
    const relay = await live.relay();
    const { host, agent } = await attached(relay);
    const nodeId = relay.nodeId;
    relay.drop();
    await live.plane.pause();
    await rm(live.plane.storageDir, { recursive: true, force: true });
    await live.plane.resume();
    assert.equal((await relay.register()).node_id, nodeId);
    await relay.open(0);
    beat(t, relay);
    const newcomer = await live.relay();
    beat(t, newcomer);
    assert.notEqual(newcomer.nodeId, nodeId);
    assert.equal(await placeOf(relay, host), null);
    const [result] = await relay.attach({ ...agent, mode: 'announce' });
    assert.equal(result?.outcome, 'accepted');
    assert.equal(await placeOf(newcomer, host), nodeId);
  });

  test('a restart of the control plane gives relays one lease to come back', async (t) => {
    const relay = await live.relay();
    const watcher = await live.relay();
    const { host } = await attached(relay);
    const until = Date.now() + 1.5 * LEASE_MS;
    while (Date.now() < until) await Promise.all([relay.ping(), watcher.ping()]);
    await live.plane.pause();
    await live.plane.resume();
    const resumedAt = Date.now();
    await watcher.open();
    beat(t, watcher);
    watcher.forget('peers');
    // Its last heartbeat is gone with the sockets, and it is not back yet.
    assert.equal(await placeOf(watcher, host), relay.nodeId);
    await watcher.receive('peers', (message) => !message.peers.some((peer) => peer.node_id === relay.nodeId));
    const tookMs = Date.now() - resumedAt;
    assert.ok(tookMs <= 2 * LEASE_MS, `offline after ${tookMs} ms`);
  });

  test('leases, presences and node ids outlive a restart of the control plane', async (t) => {
    const relay = await live.relay();
    const lost = await live.relay();
    const { host, client_id } = await attached(relay);
    await relay.receive('peers', (message) => message.peers.some((peer) => peer.node_id === lost.nodeId));
    await live.plane.pause();
    relay.forget('peers');
    await live.plane.resume();
    await relay.open();
    beat(t, relay);
    await relay.receive('peers', (message) => !message.peers.some((peer) => peer.node_id === lost.nodeId));
    assert.equal(await placeOf(relay, host), relay.nodeId);
    await live.api('POST', `/clients/${client_id}/disconnect`);
    await relay.receive('close_client');
    assert.equal((await relay.register()).node_id, relay.nodeId);
  });
});
