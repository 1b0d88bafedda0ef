import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Client } from '@tunnox/domain/api/clients';
import type { Domain } from '@tunnox/domain/api/domains';
import { type FakeRelay, instanceId } from './fake-relay.ts';
import { LiveHarness, type Tenant } from './live-harness.ts';

interface Problem {
  status: number;
  code: string;
  detail: string;
}

interface Managed {
  clientId: number;
  authCode: string;
}

/** What becomes of an agent, its tickets and its names when its client is changed, wherever it is attached. */
describe('life of a client', () => {
  let live: LiveHarness;
  let one: FakeRelay;
  let two: FakeRelay;
  let tenant: Tenant;
  before(async () => {
    live = await LiveHarness.start();
    one = await live.relay();
    two = await live.relay();
    tenant = await live.tenant();
  });
  after(() => live?.stop());

  async function managed(): Promise<Managed> {
    const made = await live.api<{ client_id: number; auth_code: string }>(
      'POST',
      '/clients',
      { client_name: 'agent' },
      tenant.apiKey,
    );
    return { clientId: made.client_id, authCode: made.auth_code };
  }

  const agentOf = (clientId: number, change: object = {}) => ({
    client_id: clientId,
    instance_id: instanceId(),
    connect_seq: 1,
    generation: 1,
    mode: 'attach' as const,
    ...change,
  });

  const put = (clientId: number, body: object, token = tenant.apiKey) =>
    live.api<Client>('PUT', `/clients/${clientId}`, body, token);

  async function problemOf(response: Promise<Response>): Promise<Problem> {
    const answered = await response;
    return { ...((await answered.json()) as Problem), status: answered.status };
  }

  const open = ({ clientId, authCode }: Managed) => live.trySession({ client_id: clientId, auth_code: authCode });

  const closed = (relay: FakeRelay, clientId: number) =>
    relay.receive('close_client', (message) => message.client_id === clientId);

  const voided = (relay: FakeRelay, clientId: number) =>
    relay.receive('void_tickets', (message) => message.client_id === clientId);

  const actionsOf = async (clientId: number) =>
    (
      await live.sql<{ action: string }>(
        `select action from audit_log where object_type = 'client' and object_id = $1 order by id`,
        String(clientId),
      )
    ).map(({ action }) => action);

  for (const [name, relayOf] of [
    ['the first relay', () => one],
    ['the second relay', () => two],
  ] as const) {
    test(`disable, rotate, disconnect and delete reach an agent at ${name}, and its tickets at both`, async () => {
      const relay = relayOf();
      const client = await managed();
      const { clientId } = client;
      await relay.attach(agentOf(clientId));
      await put(clientId, { enabled: false });
      assert.equal((await closed(relay, clientId)).code, 'disabled');
      for (const each of [one, two]) assert.equal((await voided(each, clientId)).below_generation, 2);
      assert.equal((await problemOf(open(client))).code, 'client_disabled');
      await put(clientId, { enabled: true });
      assert.equal((await open(client)).status, 200);

      await relay.attach(agentOf(clientId, { generation: 2 }));
      const rotated = await live.api<{ auth_code: string }>(
        'POST',
        `/clients/${clientId}/rotate-code`,
        undefined,
        tenant.apiKey,
      );
      assert.equal((await closed(relay, clientId)).code, 'stale_ticket');
      for (const each of [one, two]) assert.equal((await voided(each, clientId)).below_generation, 3);
      assert.equal((await open(client)).status, 401);
      assert.equal((await open({ clientId, authCode: rotated.auth_code })).status, 200);

      const agent = agentOf(clientId, { generation: 3 });
      await relay.attach(agent);
      await live.api('POST', `/clients/${clientId}/disconnect`, undefined, tenant.apiKey);
      assert.equal((await closed(relay, clientId)).code, 'disconnected');
      const [back] = await relay.attach({ ...agent, connect_seq: 2 });
      assert.equal(back?.outcome, 'accepted');

      await live.api('DELETE', `/clients/${clientId}`, undefined, tenant.apiKey);
      assert.equal((await closed(relay, clientId)).code, 'deleted');
      for (const each of [one, two]) assert.equal((await voided(each, clientId)).code, 'deleted');
      assert.deepEqual(await actionsOf(clientId), [
        'client.create',
        'client.update',
        'client.update',
        'client.rotate_code',
        'client.disconnect',
        'client.delete',
      ]);
    });
  }

  test('rotate-code is carried out once under an Idempotency-Key', async () => {
    const { clientId } = await managed();
    const rotate = async () => {
      const response = await fetch(`${live.plane.apiUrl}/api/v1/clients/${clientId}/rotate-code`, {
        method: 'POST',
        headers: { authorization: `Bearer ${tenant.apiKey}`, 'idempotency-key': `rotate-${clientId}` },
      });
      return (await response.json()) as { auth_code: string };
    };
    assert.deepEqual(await rotate(), await rotate());
    const [row] = await live.sql<{ generation: number }>(
      'select credential_generation as generation from clients where client_id = $1',
      clientId,
    );
    assert.equal(row?.generation, 2);
  });

  test('an operator suspends a client: its agent goes with the reason, and its owner cannot bring it back', async () => {
    const client = await managed();
    const { clientId } = client;
    const host = await live.domain(tenant, clientId);
    await two.attach(agentOf(clientId));
    const byOwner = await problemOf(live.tryApi('PUT', `/clients/${clientId}`, { suspended: true }, tenant.apiKey));
    assert.deepEqual([byOwner.status, byOwner.code], [403, 'forbidden']);

    const suspended = await put(clientId, { suspended: true, suspended_reason: 'Spam' }, live.plane.operatorKey);
    assert.deepEqual(
      [suspended.status, suspended.suspended, suspended.suspended_reason, suspended.version],
      ['disabled', true, 'Spam', 2],
    );
    const order = await closed(two, clientId);
    assert.equal(order.code, 'disabled');
    assert.match(order.message, /suspended by an operator: Spam/);
    for (const each of [one, two]) assert.equal((await voided(each, clientId)).below_generation, 2);
    const session = await problemOf(open(client));
    assert.deepEqual([session.status, session.code], [403, 'client_disabled']);
    assert.match(session.detail, /Spam/);
    const [attach] = await one.attach(agentOf(clientId, { generation: 2 }));
    assert.ok(attach?.outcome === 'refused');
    assert.match(attach.message, /Spam/);

    const seen = await one.lookup(host);
    assert.equal(seen.found && seen.binding.enabled, false);

    for (const body of [{ enabled: true }, { suspended: false }]) {
      const refused = await problemOf(live.tryApi('PUT', `/clients/${clientId}`, body, tenant.apiKey));
      assert.equal(refused.status, 403);
      if ('enabled' in body) assert.match(refused.detail, /Spam/);
    }
    // What its owner may still do, does not lift it.
    await put(clientId, { enabled: false, client_name: 'renamed' });
    await put(clientId, { suspended: false }, live.plane.operatorKey);
    assert.equal((await problemOf(open(client))).detail, `Client ${clientId} is disabled`);
    const lifted = await put(clientId, { enabled: true });
    assert.deepEqual([lifted.status, lifted.suspended, lifted.suspended_reason], ['offline', false, null]);
    const again = await one.lookup(host);
    assert.equal(again.found && again.binding.enabled, true);
    assert.equal((await open(client)).status, 200);
  });

  test('lifting a suspension alone brings names and agent back', async () => {
    const client = await managed();
    const host = await live.domain(tenant, client.clientId);
    const { operatorKey } = live.plane;
    await put(client.clientId, { suspended: true }, operatorKey);
    assert.match((await problemOf(open(client))).detail, /suspended by an operator$/);
    // Another reason changes neither tickets nor names.
    const again = await put(client.clientId, { suspended: true, suspended_reason: 'Later' }, operatorKey);
    assert.equal(again.suspended_reason, 'Later');
    await put(client.clientId, { suspended: false }, operatorKey);
    const seen = await one.lookup(host);
    assert.equal(seen.found && seen.binding.enabled, true);
    assert.equal((await open(client)).status, 200);
    const [row] = await live.sql<{ generation: number }>(
      'select credential_generation as generation from clients where client_id = $1',
      client.clientId,
    );
    assert.equal(row?.generation, 2);
    const wrong = live.tryApi('PUT', `/clients/${client.clientId}`, { suspended_reason: 'x' }, operatorKey);
    assert.equal((await problemOf(wrong)).status, 422);
  });

  test('a name with a second client goes on while one is suspended, and the other hears of it', async () => {
    const [bad, good] = [await managed(), await managed()];
    const host = await live.domain(tenant, bad.clientId);
    await live.sql(
      `insert into endpoint_upstreams (domain_id, client_id) select id, $1 from http_domain_mappings where full_domain = $2`,
      good.clientId,
      host,
    );
    const [attached] = await one.attach(agentOf(good.clientId));
    assert.ok(attached?.outcome === 'accepted');
    const before = attached.policy.bindings[0]?.version ?? 0;
    await put(bad.clientId, { suspended: true }, live.plane.operatorKey);
    const pushed = await one.receive('policy', ({ policy }) => policy.client_id === good.clientId);
    assert.ok((pushed.policy.bindings[0]?.version ?? 0) > before);
    assert.equal(pushed.policy.bindings[0]?.enabled, true);
    await put(good.clientId, { enabled: false });
    const seen = await two.lookup(host);
    assert.equal(seen.found && seen.binding.enabled, false);
  });

  test('an anonymous client is suspended like any other', async () => {
    const session = await live.session(null);
    const domain = await live.api<Domain>('POST', '/domains', { target_port: 1 }, session.access_token);
    await one.attach(agentOf(session.client_id));
    await put(session.client_id, { suspended: true, suspended_reason: 'Phishing' }, live.plane.operatorKey);
    assert.match((await closed(one, session.client_id)).message, /Phishing/);
    const seen = await two.lookup(domain.full_domain);
    assert.equal(seen.found && seen.binding.enabled, false);
    assert.match((await problemOf(live.tryApi('GET', '/me', undefined, session.access_token))).detail, /Phishing/);
    assert.deepEqual(await actionsOf(session.client_id), ['client.create', 'client.update']);
  });

  test('a claimed client cannot be changed, only removed', async () => {
    const session = await live.session(null);
    await live.api(
      'POST',
      '/clients/claim',
      { anonymous_client_id: session.client_id, auth_code: session.auth_code },
      tenant.apiKey,
    );
    for (const [method, path, body] of [
      ['PUT', '', { enabled: true }],
      ['PUT', '', { suspended: true }],
      ['POST', '/rotate-code', undefined],
      ['POST', '/disconnect', undefined],
    ] as const) {
      const refused = await problemOf(live.tryApi(method, `/clients/${session.client_id}${path}`, body));
      assert.deepEqual([refused.status, refused.code], [403, 'client_claimed'], method + path);
    }
    await live.api('DELETE', `/clients/${session.client_id}`);
    assert.equal((await live.tryApi('GET', `/clients/${session.client_id}`)).status, 404);
  });

  test('lists are filtered by status, type and a part of the name', async () => {
    const owner = await live.tenant();
    const make = async (client_name: string) =>
      (await live.api<{ client_id: number }>('POST', '/clients', { client_name }, owner.apiKey)).client_id;
    const [up, off, bad] = [await make('Office 100%'), await make('office_two'), await make('Laptop')];
    await put(off, { enabled: false }, owner.apiKey);
    await put(bad, { suspended: true }, live.plane.operatorKey);
    const ids = async (query: string) =>
      (await live.api<{ clients: Client[] }>('GET', `/clients?${query}`, undefined, owner.apiKey)).clients.map(
        ({ client_id }) => client_id,
      );
    assert.deepEqual(await ids('status=active'), [up]);
    assert.deepEqual(await ids('status=disabled'), [off, bad]);
    assert.deepEqual(await ids('status=suspended'), [bad]);
    assert.deepEqual(await ids('q=OFFICE'), [up, off]);
    assert.deepEqual(await ids('q=0%25'), [up]);
    assert.deepEqual(await ids('q=_'), [off]);
    assert.deepEqual(await ids('q=office&status=disabled&type=managed'), [off]);
    assert.deepEqual(await ids('type=anonymous'), []);
    const session = await live.session(null);
    const claim = { anonymous_client_id: session.client_id, auth_code: session.auth_code };
    await live.api('POST', '/clients/claim', claim, owner.apiKey);
    const claimed = await live.api<{ clients: Client[] }>('GET', '/clients?status=claimed&limit=100');
    assert.ok(claimed.clients.some(({ client_id }) => client_id === session.client_id));
    assert.ok(claimed.clients.every(({ status }) => status === 'claimed'));
    assert.equal((await live.tryApi('GET', '/clients?status=online', undefined, owner.apiKey)).status, 422);
  });

  test('the sweep removes an ended anonymous client with all it has, and writes it down', async () => {
    const session = await live.session(null);
    const domain = await live.api<Domain>('POST', '/domains', { target_port: 1 }, session.access_token);
    await one.attach(agentOf(session.client_id));
    await live.sql(
      `update clients set expires_at = now() - interval '1 second' where client_id = $1`,
      session.client_id,
    );
    await live.plane.runScheduled();
    assert.equal((await closed(one, session.client_id)).code, 'deleted');
    const left = await live.sql(
      `select 1 from clients where client_id = $1
       union all select 1 from endpoint_upstreams where client_id = $1
       union all select 1 from client_config_changes where client_id = $1
       union all select 1 from http_domain_mappings where id = $2`,
      session.client_id,
      domain.domain_id,
    );
    assert.deepEqual(left, []);
    const [entry] = await live.sql<Record<string, unknown>>(
      `select actor_type, action, before from audit_log where object_type = 'client' and object_id = $1 order by id desc`,
      String(session.client_id),
    );
    assert.deepEqual([entry?.['actor_type'], entry?.['action']], ['system', 'client.expire']);
    const seen = await one.lookup(domain.full_domain);
    assert.equal(seen.found, false);
  });
});
