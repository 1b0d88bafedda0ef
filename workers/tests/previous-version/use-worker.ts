import assert from 'node:assert/strict';
import { waitFor } from '@tunnox/testing/wait-for';
import type { Client } from 'pg';
import { FakeRelay, instanceId } from '../fake-relay.ts';
import type { Facts, KnownClient } from './fixture.ts';
import { leaveUndelivered } from './leave-undelivered.ts';
import { makeDomains, makeMappings } from './make-bindings.ts';
import { type MadeClients, makeAnonymous, makeClients } from './make-clients.ts';
import { makeUsers } from './make-users.ts';
import type { WorkerOnDatabase } from './worker-on-database.ts';

const WAIT_MS = 10_000;

/**
 * Uses a Worker until every table has rows of every kind, by its own calls; by SQL only what operators do by SQL in that
 * version, and failures.
 */
export async function useWorker(worker: WorkerOnDatabase, database: Client): Promise<Facts> {
  await operateBySql(database);
  const { users, passwords, keys } = await makeUsers(worker);
  const { relays, joinToken } = await makeRelays(worker);
  const [first] = relays;
  assert.ok(first !== undefined);
  const clients = await makeClients(worker, keys);
  const mappings = await makeMappings(worker, keys, clients);
  const { domains, domainIds } = await makeDomains(worker, keys, clients);
  await serve(worker, first, clients.server, mappings.publicTcp);
  const repeatable = await makeRepeatable(worker, keys.full);
  await reportUsage(first, { users, clients, mappings, domainIds });
  const secrets = await readSecrets(worker, clients.laptop);
  const claimed = await makeClaimed(worker, database, users.ada, clients.server.clientId);
  const untold = await leaveUndelivered(worker, database, keys, clients);
  const nodes = await Promise.all(
    relays.map(async (relay) => ({ nodeId: relay.nodeId, privateJwk: await relay.privateJwk() })),
  );
  await leave(relays, database);
  return {
    users,
    passwords,
    keys,
    clients: { ...clients, claimed, disabledUntold: untold.client },
    domains: { ...domains, untold: untold.domain },
    domainIds,
    mappings,
    secrets,
    relays: nodes,
    joinToken,
    repeatable,
  };
}

/** Plans and reserved names are rows that operators change themselves in this version. */
async function operateBySql(database: Client): Promise<void> {
  await database.query(`update plans set max_clients = 3, max_mappings = 4 where name = 'free'`);
  await database.query(
    `insert into plans (name, max_clients, monthly_traffic_limit) values ('team', 25, 1000000000000)`,
  );
  await database.query(`insert into reserved_names (name, reason) values ('status', 'Our own status page')`);
}

async function makeRelays(worker: WorkerOnDatabase): Promise<{ relays: FakeRelay[]; joinToken: string }> {
  const open = await worker.call('POST', '/join-tokens', { name: 'all', uses: null, expires_in_s: null });
  await worker.call('POST', '/join-tokens', { name: 'five', uses: 5 });
  const revoked = await worker.call('POST', '/join-tokens', { name: 'wrong' });
  await worker.call('DELETE', `/join-tokens/${revoked['token_id']}`);
  const relays: FakeRelay[] = [];
  for (const region of ['eu', 'us', 'eu']) {
    const relay = new FakeRelay(worker.apiUrl);
    await relay.register({ join_token: open['join_token'], region, public_address: `${region}.relays.example` });
    await relay.open();
    relay.send({ type: 'load', clients: 1, tunnels: 2, cpu: 0.25, memory_bytes: 1e8, bandwidth_bytes_per_s: 1234.5 });
    relays.push(relay);
  }
  await waitFor(async () => {
    const { nodes } = await worker.call('GET', '/nodes');
    return (nodes as { memory_usage: number }[]).every((node) => node.memory_usage > 0);
  }, WAIT_MS);
  return { relays, joinToken: open['join_token'] as string };
}

/** Attaches an agent, and lets it report a change as applied. */
async function serve(
  worker: WorkerOnDatabase,
  relay: FakeRelay,
  { clientId }: KnownClient,
  mappingId: number,
): Promise<void> {
  const agent = { client_id: clientId, instance_id: instanceId(), connect_seq: 1, generation: 1 };
  const [result] = await relay.attach({ ...agent, mode: 'attach' });
  assert.equal(result?.outcome, 'accepted');
  const changed = worker.call('PUT', `/mappings/${mappingId}`, { name: 'ssh' });
  const { policy } = await relay.receive('policy', (message) => message.policy.client_id === clientId);
  relay.send({ type: 'config_applied', client_id: clientId, version: policy.config_version, problems: [] });
  assert.equal((await changed)['delivery'][0]['state'], 'applied');
}

async function makeRepeatable(worker: WorkerOnDatabase, token: string): Promise<Facts['repeatable']> {
  const path = '/clients';
  const key = 'a-key-of-the-first-release';
  const body = { client_name: 'made once' };
  const made = await worker.tryCall('POST', path, body, token, { 'idempotency-key': key });
  assert.equal(made.status, 201);
  const wrong = await worker.tryCall('POST', path, { client_name: '' }, token, { 'idempotency-key': 'a-wrong-one' });
  assert.equal(wrong.status, 422);
  return { key, path, body, answer: made.body };
}

async function reportUsage(
  relay: FakeRelay,
  { users, clients, mappings, domainIds }: Pick<Facts, 'users' | 'mappings' | 'domainIds'> & { clients: MadeClients },
): Promise<void> {
  const { incarnation } = relay.registration;
  const of = { client_id: clients.server.clientId, user_id: users.ada };
  for (const sequence of [1, 2, 2]) {
    const entries = [
      { ...of, binding_id: `mapping:${mappings.publicTcp}`, bytes_in: 1000, bytes_out: 20_000, connections: 2 },
      { ...of, binding_id: `domain:${domainIds.name}`, bytes_in: 300, bytes_out: 4_000_000_000, connections: 7 },
    ];
    const answer = await relay.call('/usage', { body: { incarnation, sequence, entries } });
    assert.equal(answer.status, 200);
  }
}

/** The secrets of private mappings, as the source's agent gets them. */
async function readSecrets(worker: WorkerOnDatabase, source: KnownClient): Promise<Record<string, string>> {
  const { config } = await worker.session(source);
  const bindings = config.bindings as { binding_id: string; secret: string }[];
  assert.equal(bindings.length, 2);
  return Object.fromEntries(bindings.map(({ binding_id, secret }) => [binding_id, secret]));
}

/** This version knows clients that were claimed, and has no call that claims one. */
async function makeClaimed(
  worker: WorkerOnDatabase,
  database: Client,
  userId: number,
  newClientId: number,
): Promise<KnownClient> {
  const claimed = await makeAnonymous(worker);
  await database.query(
    `update clients set lifecycle = 'claimed', claimed_by = $1, upgraded_to = $2 where client_id = $3`,
    [userId, newClientId, claimed.clientId],
  );
  return claimed;
}

/** One relay says goodbye; the others are cut with the Worker. */
async function leave(relays: FakeRelay[], database: Client): Promise<void> {
  relays.at(-1)?.send({ type: 'leaving' });
  await waitFor(async () => {
    const { rows } = await database.query<{ status: string }>('select status from relay_nodes order by node_id');
    return rows.map((row) => row.status).join() === 'online,online,offline';
  }, WAIT_MS);
  for (const relay of relays) relay.drop();
}
