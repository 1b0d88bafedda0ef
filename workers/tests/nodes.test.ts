import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Node, NodeDetails } from '@tunnox/domain/api/nodes';
import { waitFor } from '@tunnox/testing/wait-for';
import { FakeRelay, instanceId } from './fake-relay.ts';
import { LiveHarness } from './live-harness.ts';

interface Listed {
  nodes: Node[];
  total: number;
}

const WAIT_MS = 10_000;

let live: LiveHarness;
before(async () => {
  live = await LiveHarness.start();
});
after(() => live?.stop());

const list = (query = '') => live.api<Listed>('GET', `/nodes${query}`);
const find = (nodeId: string) => live.api<NodeDetails>('GET', `/nodes/${nodeId}`);

async function goOffline(relay: FakeRelay): Promise<void> {
  relay.send({ type: 'leaving' });
  await waitFor(async () => (await find(relay.nodeId)).status === 'offline', WAIT_MS);
}

test('a node shows its last load, and none when it is offline', async () => {
  const relay = await live.relay();
  relay.send({
    ...{ type: 'load', clients: 3, tunnels: 7, cpu: 0.25, memory_bytes: 1_000_000 },
    bandwidth_bytes_per_s: 12.5,
  });
  await waitFor(async () => (await find(relay.nodeId)).tunnels === 7, WAIT_MS);
  const node = await find(relay.nodeId);
  assert.deepEqual(
    [node.online_clients, node.cpu_usage, node.memory_usage, node.bandwidth_usage, node.status, node.address],
    [3, 0.25, 1_000_000, 12.5, 'online', '127.0.0.1'],
  );
  assert.deepEqual([node.client_ids, node.clients_total, node.version], [[], 0, 'test']);
  assert.ok(node.uptime_s >= 0 && node.uptime_s < 60);
  const earlier = await live.api<{ total_nodes: number; total_bandwidth: number }>('GET', '/stats/system');
  await goOffline(relay);
  const gone = await find(relay.nodeId);
  assert.deepEqual(
    [gone.online_clients, gone.tunnels, gone.cpu_usage, gone.memory_usage, gone.bandwidth_usage, gone.uptime_s],
    [0, 0, 0, 0, 0, 0],
  );
  const later = await live.api<{ total_nodes: number; total_bandwidth: number }>('GET', '/stats/system');
  assert.equal(later.total_nodes, earlier.total_nodes - 1);
  assert.equal(later.total_bandwidth, earlier.total_bandwidth - 12.5);
});

test('the list is filtered by status, group and region', async () => {
  const register = async (relay_group: string, region: string) => {
    const body = { name: 'test', relay_group, uses: 1 };
    const { join_token } = await live.api<{ join_token: string }>('POST', '/join-tokens', body);
    const relay = new FakeRelay(live.plane.apiUrl);
    await relay.register({ join_token, region });
    return relay.nodeId;
  };
  const [a, b, c] = [await register('rack-1', 'eu'), await register('rack-1', 'us'), await register('rack-2', 'eu')];
  const ids = async (query: string) => {
    const { nodes, total } = await list(query);
    assert.equal(total, nodes.length);
    return nodes.map(({ node_id }) => node_id);
  };
  assert.deepEqual(await ids('?group=rack-1'), [a, b]);
  assert.deepEqual(await ids('?region=eu&group=rack-1'), [a]);
  assert.deepEqual(await ids('?group=rack-2&status=starting'), [c]);
  assert.deepEqual(await ids('?group=rack-2&status=online'), []);
  assert.deepEqual(await ids('?group=nowhere'), []);
  for (const query of ['?status=asleep', '?group=No%20group']) {
    assert.equal((await live.tryApi('GET', `/nodes${query}`)).status, 422, query);
  }
});

test('a node names the clients that are attached to it, no more than 500, and how many there are', async () => {
  const relay = await live.relay();
  const tenant = await live.tenant();
  const made = await live.sql<{ client_id: number }>(
    `insert into clients (user_id, type, auth_code_hash, name)
     select $1, 'managed', 'x', 'bulk' from generate_series(1, 520) returning client_id::int`,
    tenant.userId,
  );
  const agents = made.map(({ client_id }) => ({
    ...{ client_id, instance_id: instanceId(), connect_seq: 1, generation: 1, mode: 'attach' as const },
  }));
  for (let at = 0; at < agents.length; at += 100) await relay.attach(...agents.slice(at, at + 100));
  const [first] = agents;
  assert.ok(first);
  await waitFor(async () => (await find(relay.nodeId)).clients_total === 520, WAIT_MS);
  assert.deepEqual(
    (await find(relay.nodeId)).client_ids,
    agents.slice(0, 500).map(({ client_id }) => client_id),
  );
  // One that is elsewhere now is not named, whatever this relay has noted.
  const other = await live.relay();
  await other.attach({ ...first, instance_id: instanceId() });
  const node = await find(relay.nodeId);
  assert.deepEqual([node.client_ids.includes(first.client_id), node.clients_total], [false, 519]);
});

test('a relay that is drained is told, and that stands in the audit log', async () => {
  const relay = await live.relay();
  const answer = await live.api<{ status: string }>('POST', `/nodes/${relay.nodeId}/drain`, { deadline_s: 5 });
  assert.equal(answer.status, 'draining');
  assert.equal((await relay.receive('drain')).deadline_ms, 5000);
  assert.equal((await find(relay.nodeId)).status, 'draining');
  await goOffline(relay);
  assert.equal((await live.tryApi('POST', `/nodes/${relay.nodeId}/drain`, {})).status, 409);
  const lines = await live.api<{ total: number }>('GET', `/audit?action=node.drain&object_id=${relay.nodeId}`);
  assert.equal(lines.total, 1);
});

test('a relay that is gone for good gives its id free, and cannot come back with what it has', async () => {
  const relay = await live.relay();
  const { nodeId } = relay;
  const tenant = await live.tenant();
  assert.equal((await live.tryApi('DELETE', `/nodes/${nodeId}`)).status, 409);
  assert.equal((await live.tryApi('DELETE', `/nodes/${nodeId}`, undefined, tenant.apiKey)).status, 403);
  await goOffline(relay);
  await live.api('DELETE', `/nodes/${nodeId}`);
  assert.equal((await live.tryApi('DELETE', `/nodes/${nodeId}`)).status, 404);
  assert.ok((await list()).nodes.every(({ node_id }) => node_id !== nodeId));
  // Neither its token nor its key counts any more …
  assert.equal((await relay.call('/peers')).status, 401);
  assert.equal((await relay.tryRegister()).status, 403);
  // … and the id is the next newcomer's, which begins with nothing.
  const next = await live.relay();
  assert.equal(next.nodeId, nodeId);
  const node = await find(nodeId);
  assert.deepEqual([node.status, node.clients_total, node.tunnels], ['online', 0, 0]);
  // With a join token the old one comes back as somebody new.
  await relay.register({ join_token: await live.joinToken() });
  assert.notEqual(relay.nodeId, nodeId);
});
