import assert from 'node:assert/strict';
import { waitFor } from '@tunnox/testing/wait-for';
import type { Client } from 'pg';
import { FakeRelay, instanceId } from '../fake-relay.ts';
import type { Body } from '../test-stack.ts';
import type { Facts, KnownClient } from './fixture.ts';
import type { WorkerOnDatabase } from './worker-on-database.ts';

const PASSWORDS = { ada: 'a lovely password', bob: 'correct horse battery' };

/** bcrypt of bob's, as a site that moves here would bring it. */
const BCRYPT_HASH = '$2b$10$TVPxzfTNjp0rAASrdBZNPeReYbfY2VCtqGk5rW5y3i18FNHPqx8Li';

const WAIT_MS = 10_000;

const WRITES = { scopes: ['read', 'write'] };

/**
 * Uses a Worker until every table has rows of every kind, by its own calls; by SQL only what operators do by SQL in that
 * version, and failures.
 */
export async function useWorker(worker: WorkerOnDatabase, database: Client): Promise<Facts> {
  await operateBySql(database);
  const { users, keys } = await makeUsers(worker);
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
    passwords: PASSWORDS,
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

async function makeUsers(worker: WorkerOnDatabase): Promise<Pick<Facts, 'users' | 'keys'>> {
  const make = async (body: object): Promise<number> =>
    (await worker.call('POST', '/users', body))['user_id'] as number;
  const ada = await make({ username: 'ada', email: 'Ada@customer.example', password: PASSWORDS.ada, plan: 'pro' });
  const bob = await make({ username: 'bob', email: 'bob@customer.example', password_hash: BCRYPT_HASH });
  const carol = await make({ username: 'carol', email: 'carol@customer.example', plan: 'team' });
  const deleted = await make({ username: 'dave', email: 'dave@customer.example', plan: 'enterprise' });
  await worker.call('POST', `/users/${ada}/quota`, { max_clients: 20, monthly_traffic_limit: null });
  await worker.call('POST', `/users/${bob}/quota`, { monthly_traffic_limit: 5_000_000 });
  const key = async (userId: number, body: object): Promise<Body> =>
    worker.call('POST', `/users/${userId}/api-keys`, body);
  const inTenYears = new Date(Date.now() + 3650 * 86_400_000).toISOString();
  const revoked = await key(ada, { name: 'lost', ...WRITES });
  const keys = {
    full: await key(ada, { name: 'laptop', ...WRITES }),
    read: await key(ada, { name: 'dashboard', scopes: ['read'] }),
    lasting: await key(ada, { name: 'robot', ...WRITES, expires_at: inTenYears }),
    revoked,
    bob: await key(bob, { name: 'bob' }),
  };
  const gone = await key(deleted, {});
  await worker.call('GET', '/me', undefined, revoked['api_key'] as string);
  await worker.call('DELETE', `/users/${ada}/api-keys/${revoked['key_id']}`);
  await worker.call('POST', '/clients', { client_name: 'of dave' }, gone['api_key'] as string);
  await worker.call('DELETE', `/users/${deleted}`);
  await worker.call('PUT', `/users/${carol}`, { status: 'disabled' });
  await worker.call('PUT', `/users/${ada}`, { username: 'ada.l' });
  const texts = Object.entries(keys).map(([name, made]) => [name, made['api_key'] as string]);
  return { users: { ada, bob, carol, deleted }, keys: Object.fromEntries(texts) as Facts['keys'] };
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

type MadeClients = Omit<Facts['clients'], 'claimed' | 'disabledUntold'>;

async function makeClients(worker: WorkerOnDatabase, keys: Facts['keys']): Promise<MadeClients> {
  const make = async (name: string, token = keys.full): Promise<KnownClient> => {
    const made = await worker.call('POST', '/clients', { client_name: name, client_desc: `"${name}", ünïcode` }, token);
    return { clientId: made['client_id'] as number, authCode: made['auth_code'] as string };
  };
  const server = await make('server');
  const laptop = await make('laptop');
  const rotated = await make('rotated');
  const code = await worker.call('POST', `/clients/${rotated.clientId}/rotate-code`, undefined, keys.full);
  const disabled = await make('disabled');
  await worker.call('PUT', `/clients/${disabled.clientId}`, { enabled: false }, keys.full);
  await make('of bob', keys.bob);
  const deleted = await make('deleted');
  await worker.call('DELETE', `/clients/${deleted.clientId}`, undefined, keys.full);
  const anonymous = await makeAnonymous(worker);
  return { server, laptop, rotated: { ...rotated, authCode: code['auth_code'] as string }, disabled, anonymous };
}

async function makeAnonymous(worker: WorkerOnDatabase): Promise<KnownClient> {
  const headers = { 'cf-connecting-ip': '198.51.100.7' };
  const body = { agent_version: '0.1.0', protocol: 1 };
  const made = await worker.tryCall('POST', '/agent/v1/session', body, null, headers);
  assert.equal(made.status, 200);
  return { clientId: made.body['client_id'] as number, authCode: made.body['auth_code'] as string };
}

async function makeMappings(
  worker: WorkerOnDatabase,
  keys: Facts['keys'],
  { server, laptop }: MadeClients,
): Promise<Facts['mappings']> {
  const ends = { source_client_id: laptop.clientId, target_client_id: server.clientId };
  const make = async (body: object): Promise<number> =>
    (await worker.call('POST', '/mappings', body, keys.full))['mapping_id'] as number;
  const access = { allow: ['10.0.0.0/8', '2001:db8::/32'], deny: ['10.9.0.1'] };
  const mappings = {
    privateTcp: await make({ ...ends, name: 'db', target_host: 'db.internal', target_port: 5432, local_port: 5433 }),
    socks5: await make({ ...ends, protocol: 'socks5', local_port: 1080 }),
    publicTcp: await make({ target_client_id: server.clientId, target_port: 22, remote_port: 20_003, access }),
  };
  const disabled = await make({ target_client_id: server.clientId, target_port: 23 });
  await worker.call('PUT', `/mappings/${disabled}`, { enabled: false, name: 'switched off' }, keys.full);
  const deleted = await make({ target_client_id: server.clientId, target_port: 24 });
  await worker.call('DELETE', `/mappings/${deleted}`, undefined, keys.full);
  return mappings;
}

async function makeDomains(
  worker: WorkerOnDatabase,
  keys: Facts['keys'],
  { server, anonymous }: MadeClients,
): Promise<{ domains: Omit<Facts['domains'], 'untold'>; domainIds: Facts['domainIds'] }> {
  const client_id = server.clientId;
  const make = (body: object, token: string) => worker.call('POST', '/domains', body, token);
  const shop = await make({ client_id, subdomain: 'shop', target_port: 3000, host_header: 'shop.internal' }, keys.full);
  const access = { deny: ['192.0.2.0/24'] };
  const second = { client_id, subdomain: 'journal', base_domain: 'second.example', target_scheme: 'https', access };
  const journal = await make({ ...second, target_port: 8443, tls_mode: 'off' }, keys.full);
  await worker.call('PUT', `/domains/${journal['domain_id']}`, { enabled: false }, keys.full);
  const pending = await make({ client_id, domain: 'www.customer.example', target_port: 80 }, keys.full);
  // The same name, wanted by somebody else: neither has proved it.
  const bobs = await worker.call('GET', '/clients', undefined, keys.bob);
  const bob = bobs['clients'][0]['client_id'] as number;
  await make({ client_id: bob, domain: 'www.customer.example', target_port: 81 }, keys.bob);
  const deleted = await make({ client_id, subdomain: 'gone', target_port: 1 }, keys.full);
  await worker.call('DELETE', `/domains/${deleted['domain_id']}`, undefined, keys.full);
  const session = await worker.session(anonymous);
  const random = await make({ target_port: 3000 }, session['access_token'] as string);
  return {
    domains: {
      name: shop['full_domain'] as string,
      pending: pending['full_domain'] as string,
      anonymous: random['full_domain'] as string,
    },
    domainIds: { name: shop['domain_id'] as number, pending: pending['domain_id'] as number },
  };
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

/** Changes of which nobody was told: the Worker died before it claimed the row, or after. */
async function leaveUndelivered(
  worker: WorkerOnDatabase,
  database: Client,
  keys: Facts['keys'],
  { server }: MadeClients,
): Promise<{ client: KnownClient; domain: string }> {
  const made = await worker.call('POST', '/clients', { client_name: 'to be disabled' }, keys.full);
  const client = { clientId: made['client_id'] as number, authCode: made['auth_code'] as string };
  const fail = async (when: string, work: () => Promise<unknown>) => {
    await database.query(
      `create trigger fault before update on outbox for each row when (${when}) execute function fault()`,
    );
    await work();
    await database.query('drop trigger fault on outbox');
  };
  await database.query(
    `create function fault() returns trigger language plpgsql as $$ begin raise exception 'fault'; end $$`,
  );
  const domain = { client_id: server.clientId, subdomain: 'untold', target_port: 3001 };
  await fail('new.attempts > 0', () => worker.call('POST', '/domains', domain, keys.full));
  await fail('new.delivered_at is not null', () =>
    worker.call('PUT', `/clients/${client.clientId}`, { enabled: false }, keys.full),
  );
  await database.query('drop function fault()');
  const { rows } = await database.query(
    `select claimed_at is not null as claimed from outbox where delivered_at is null order by id`,
  );
  assert.deepEqual(rows, [{ claimed: false }, { claimed: true }]);
  return { client, domain: 'untold.tunnox.example' };
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
