import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import type { ClientPolicy } from '@tunnox/domain/policy';
import { decodeJwt } from 'jose';
import type { FakeRelay } from './fake-relay.ts';
import { instanceId } from './fake-relay.ts';
import { LiveHarness, type Tenant } from './live-harness.ts';

interface Delivered {
  mapping_id?: number;
  delivery: { client_id: number; state: string; detail?: string }[];
}

describe('live state', () => {
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

  const agentOf = (clientId: number, change: object = {}) => ({
    client_id: clientId,
    instance_id: instanceId(),
    connect_seq: 1,
    generation: 1,
    mode: 'attach' as const,
    ...change,
  });

  describe('attach', () => {
    test('answers with the policy of the client: limits and bindings', async () => {
      const { client_id, user_id } = await live.session(tenant);
      const host = await live.domain(tenant, client_id);
      const [result] = await one.attach(agentOf(client_id));
      assert.equal(result?.outcome, 'accepted');
      const policy = (result as { policy: ClientPolicy }).policy;
      assert.equal(policy.user_id, user_id);
      assert.equal(policy.generation, 1);
      assert.deepEqual(
        policy.bindings.map((binding) => binding.endpoint),
        [host],
      );
      assert.equal(policy.limits.bandwidth_bytes_per_s, 100 * 2 ** 20);
    });

    test('takes a hundred clients at once', async () => {
      const made = await live.sql<{ client_id: number }>(
        `insert into clients (user_id, type, auth_code_hash, name)
         select $1, 'managed', 'x', 'bulk' from generate_series(1, 100) returning client_id::int`,
        tenant.userId,
      );
      const results = await one.attach(...made.map(({ client_id }) => agentOf(client_id)));
      assert.equal(results.filter((result) => result.outcome === 'accepted').length, 100);
      const node = await live.api<{ client_ids: number[] }>('GET', `/nodes/${one.nodeId}`);
      assert.ok(made.every(({ client_id }) => node.client_ids.includes(client_id)));
      const found = await live.api<{ status: string; node_id: string }>('GET', `/clients/${made[0]!.client_id}`);
      assert.deepEqual([found.status, found.node_id], ['online', one.nodeId]);
    });

    test('lets a later process win elsewhere and tells the older; its late detach disturbs nobody', async () => {
      const { client_id } = await live.session(tenant);
      const older = agentOf(client_id);
      const newer = agentOf(client_id);
      await one.attach(older);
      await two.attach(newer);
      const order = await one.receive('close_client', (message) => message.client_id === client_id);
      assert.deepEqual([order.code, order.instance_id, order.connect_seq], ['replaced', older.instance_id, 1]);
      await one.detach(older);
      const host = await live.domain(tenant, client_id);
      const answer = await two.lookup(host);
      assert.equal(answer.found && answer.upstreams[0]?.node?.node_id, two.nodeId);
      const [announced] = await one.attach({ ...older, mode: 'announce' });
      assert.deepEqual(
        [announced?.outcome, announced?.outcome === 'refused' && announced.code],
        ['refused', 'replaced'],
      );
    });

    test('leaves exactly one holder when processes race over two relays', async () => {
      const { client_id } = await live.session(tenant);
      const host = await live.domain(tenant, client_id);
      const agents = Array.from({ length: 10 }, () => agentOf(client_id));
      const results = await Promise.all(agents.map((agent, index) => (index % 2 === 0 ? one : two).attach(agent)));
      assert.ok(results.every(([result]) => result?.outcome === 'accepted'));
      const answer = await one.lookup(host);
      const holder = answer.found ? answer.upstreams[0]?.presence?.instance_id : undefined;
      assert.ok(agents.some((agent) => agent.instance_id === holder));
      for (const [index, agent] of agents.entries()) {
        if (agent.instance_id === holder) continue;
        const relay = index % 2 === 0 ? one : two;
        await relay.receive('close_client', (message) => message.instance_id === agent.instance_id);
      }
    });

    test('refuses clients that are unknown, disabled, or come with an old ticket', async () => {
      const { client_id } = await live.session(tenant);
      const rotated = await live.session(tenant);
      await live.api('PUT', `/clients/${client_id}`, { enabled: false });
      await live.api('POST', `/clients/${rotated.client_id}/rotate-code`);
      const results = await one.attach(
        agentOf(999_999_998),
        agentOf(client_id, { generation: 9 }),
        agentOf(rotated.client_id),
      );
      assert.deepEqual(
        results.map((result) => result.outcome === 'refused' && result.code),
        ['deleted', 'disabled', 'stale_ticket'],
      );
    });

    test('refuses a generation that no ticket has, and takes the true one afterwards', async () => {
      const { client_id } = await live.session(tenant);
      const [invented] = await one.attach(agentOf(client_id, { generation: 1_000_000 }));
      assert.equal(invented?.outcome === 'refused' && invented.code, 'stale_ticket');
      const [result] = await one.attach(agentOf(client_id));
      assert.equal(result?.outcome, 'accepted');
    });
  });

  describe('delivery', () => {
    test('pushes a change to the agent and waits until it is applied', async () => {
      const { client_id } = await live.session(tenant);
      await one.attach(agentOf(client_id));
      const created = live.domain(tenant, client_id);
      const { policy } = await one.receive('policy', (message) => message.policy.client_id === client_id);
      assert.equal(policy.bindings.length, 1);
      one.send({ type: 'config_applied', client_id, version: policy.config_version, problems: [] });
      const host = await created;
      assert.equal(policy.bindings[0]?.endpoint, host);
      const [row] = await live.sql<{ version: number }>(
        'select config_applied_version::int as version from clients where client_id = $1',
        client_id,
      );
      assert.equal(row?.version, policy.config_version);
    });

    test('says what an agent could not do, and which agents are away', async () => {
      const source = await live.session(tenant);
      const target = await live.session(tenant);
      await two.attach(agentOf(source.client_id));
      const creating = live.api<Delivered>(
        'POST',
        '/mappings',
        {
          source_client_id: source.client_id,
          target_client_id: target.client_id,
          ...{ protocol: 'tcp', local_port: 5432, target_host: '10.0.0.5', target_port: 5432 },
        },
        tenant.apiKey,
      );
      const { policy } = await two.receive('policy', (message) => message.policy.client_id === source.client_id);
      const problems = [
        { binding_id: policy.bindings[0]!.binding_id, code: 'port_in_use', message: 'Port 5432 is in use' },
      ];
      two.send({ type: 'config_applied', client_id: source.client_id, version: policy.config_version, problems });
      const { delivery, mapping_id } = await creating;
      const states = new Map(delivery.map((one) => [one.client_id, one.state]));
      assert.equal(states.get(source.client_id), 'failed');
      assert.equal(states.get(target.client_id), 'offline');
      const answer = await one.lookup(`mapping:${mapping_id}`);
      assert.equal(answer.found && answer.binding.source_client_id, source.client_id);
    });

    test('closes sessions of clients that are disabled, rotated, disconnected or deleted', async () => {
      for (const [change, code] of [
        [(id: number) => live.api('PUT', `/clients/${id}`, { enabled: false }), 'disabled'],
        [(id: number) => live.api('POST', `/clients/${id}/rotate-code`), 'stale_ticket'],
        [(id: number) => live.api('POST', `/clients/${id}/disconnect`), 'disconnected'],
        [(id: number) => live.api('DELETE', `/clients/${id}`), 'deleted'],
      ] as const) {
        const { client_id } = await live.session(tenant);
        await one.attach(agentOf(client_id));
        await change(client_id);
        const order = await one.receive('close_client', (message) => message.client_id === client_id);
        assert.equal(order.code, code);
      }
    });

    test('lets a disconnected client come back, and keeps it when the word comes again', async () => {
      const { client_id } = await live.session(tenant);
      await one.attach(agentOf(client_id));
      await live.api('POST', `/clients/${client_id}/disconnect`);
      await one.receive('close_client', (message) => message.client_id === client_id);
      const [result] = await two.attach(agentOf(client_id));
      assert.equal(result?.outcome, 'accepted');
      await live.sql(
        `update outbox set delivered_at = null, claimed_at = now() - interval '1 minute'
         where change = 'disconnected' and $1 = any(client_ids)`,
        client_id,
      );
      await live.plane.runScheduled();
      const found = await live.api<{ status: string }>('GET', `/clients/${client_id}`);
      assert.equal(found.status, 'online');
    });

    test('pushes changed limits', async () => {
      const other = await live.tenant();
      const { client_id } = await live.session(other);
      const [before] = await one.attach(agentOf(client_id));
      await live.api('POST', `/users/${other.userId}/quota`, { total_bandwidth_limit: 4096 });
      const { policy } = await one.receive('policy', (message) => message.policy.client_id === client_id);
      assert.equal(policy.limits.bandwidth_bytes_per_s, 4096);
      // Of two changes on their way the older one must not be the last word.
      assert.ok(before?.outcome === 'accepted' && policy.config_version > before.policy.config_version);
    });

    test('is healed by the sweep when the Worker that committed never delivered', async () => {
      const { client_id } = await live.session(tenant);
      const host = await live.domain(tenant, client_id);
      await one.attach(agentOf(client_id));
      assert.equal((await one.lookup(host)).found, true);
      await live.sql(
        `with gone as (delete from http_domain_mappings where full_domain = $1 returning id, row_version)
         insert into outbox (kind, binding_id, endpoint, version, deleted, client_ids, created_at)
         select 'binding_changed', 'domain:' || id, $1, row_version + 1, true, array[$2::bigint], now() - interval '5 seconds'
         from gone`,
        ...[host, client_id],
      );
      assert.equal((await one.lookup(host)).found, true, 'the owner has not heard of it');
      await live.plane.runScheduled();
      assert.equal((await one.lookup(host)).found, false);
      const { policy } = await one.receive(
        'policy',
        (message) => message.policy.client_id === client_id && message.policy.bindings.length === 0,
      );
      assert.equal(policy.bindings.length, 0);
      const left = await live.sql('select id from outbox where delivered_at is null');
      assert.deepEqual(left, []);
    });
  });

  describe('look-up', () => {
    test('tells the place of an attached client, and that a detached one is away', async () => {
      const { client_id } = await live.session(tenant);
      const host = await live.domain(tenant, client_id);
      const away = await two.lookup(host);
      assert.deepEqual(away.found && away.upstreams, [{ client_id, presence: null, node: null }]);
      const agent = agentOf(client_id);
      await one.attach(agent);
      const here = await two.lookup(host.toUpperCase());
      assert.ok(here.found);
      assert.equal(here.binding.endpoint, host);
      assert.equal(here.upstreams[0]?.presence?.instance_id, agent.instance_id);
      assert.equal(here.upstreams[0]?.node?.node_id, one.nodeId);
      await one.detach(agent);
      const left = await two.lookup(host);
      assert.equal(left.found && left.upstreams[0]?.presence, null);
    });

    test('answers for a name at once when it is made again after it was deleted', async () => {
      const { client_id } = await live.session(tenant);
      const body = { client_id, subdomain: `again-${client_id}`, target_host: '127.0.0.1', target_port: 80 };
      const first = await live.api<{ domain_id: number; full_domain: string }>('POST', '/domains', body, tenant.apiKey);
      assert.equal((await one.lookup(first.full_domain)).found, true);
      await live.api('DELETE', `/domains/${first.domain_id}`, undefined, tenant.apiKey);
      assert.equal((await two.lookup(first.full_domain)).found, false);
      await live.api('POST', '/domains', body, tenant.apiKey);
      await untilFound(() => one.lookup(first.full_domain));
    });

    test('makes no object for names that do not exist', async () => {
      const files = () => readdir(live.plane.storageDir, { recursive: true });
      const before = (await files()).filter((name) => /DomainRoute.*\.sqlite$/.test(name)).length;
      assert.ok(before > 0, 'objects of existing names are there');
      const names = Array.from({ length: 500 }, (_, index) => `scan-${index}.${live.plane.baseDomain}`);
      for (const shape of [
        'tcp:default:1',
        'mapping:1',
        'mapping:99999999',
        'a:b:c:d',
        'x'.repeat(253),
        '::',
        'mapping:01',
      ]) {
        names.push(shape);
      }
      const answers = await Promise.all(names.map((name) => one.lookup(name)));
      assert.ok(answers.every((answer) => !answer.found));
      assert.equal((await files()).filter((name) => /DomainRoute.*\.sqlite$/.test(name)).length, before);
    });
  });

  describe('usage', () => {
    test('counts a report once however often it comes, and tells what is left', async () => {
      const other = await live.tenant('free');
      const { client_id } = await live.session(other);
      const { domain_id } = await live.api<{ domain_id: number }>(
        'POST',
        '/domains',
        { client_id, target_host: '127.0.0.1', target_port: 80 },
        other.apiKey,
      );
      const entry = {
        binding_id: `domain:${domain_id}`,
        client_id,
        user_id: other.userId,
        bytes_in: 10,
        bytes_out: 90,
        connections: 1,
      };
      const report = { incarnation: one.registration.incarnation, sequence: 1, entries: [entry, entry] };
      const answers = await Promise.all([1, 2, 3].map(() => one.call('/usage', { body: report })));
      for (const answer of answers) {
        assert.deepEqual(await answer.json(), {
          allowances: [{ user_id: other.userId, traffic_remaining_bytes: 2 ** 30 - 200 }],
          client_allowances: [],
        });
      }
      const [usage] = await live.sql(
        'select bytes_in::int, bytes_out::int, connections::int from usage_monthly where user_id = $1',
        other.userId,
      );
      assert.deepEqual(usage, { bytes_in: 20, bytes_out: 180, connections: 2 });
      const [domain] = await live.sql(
        'select total_bytes_out::int as out from http_domain_mappings where id = $1',
        domain_id,
      );
      assert.deepEqual(domain, { out: 180 });
    });

    test('counts a report whose numbers another relay has used', async () => {
      const other = await live.tenant('free');
      const { client_id } = await live.session(other);
      const entry = { binding_id: 'domain:999999', client_id, user_id: other.userId };
      const report = {
        ...{ incarnation: two.registration.incarnation, sequence: 1 },
        entries: [{ ...entry, bytes_in: 1, bytes_out: 1, connections: 1 }],
      };
      assert.equal((await one.call('/usage', { body: { ...report, entries: [] } })).status, 200);
      const answer = await two.call('/usage', { body: report });
      assert.deepEqual(await answer.json(), {
        allowances: [{ user_id: other.userId, traffic_remaining_bytes: 2 ** 30 - 2 }],
        client_allowances: [],
      });
    });

    test('takes counts of what is deleted meanwhile, and of nobody', async () => {
      const entries = [
        {
          binding_id: 'mapping:99999',
          client_id: 600_000_001,
          user_id: 999_999_999,
          bytes_in: 1,
          bytes_out: 1,
          connections: 1,
        },
        {
          binding_id: 'domain:99999',
          client_id: 200_000_001,
          user_id: null,
          bytes_in: 1,
          bytes_out: 1,
          connections: 1,
        },
      ];
      const response = await one.call('/usage', {
        body: { incarnation: one.registration.incarnation, sequence: 2, entries },
      });
      assert.deepEqual(await response.json(), { allowances: [], client_allowances: [] });
      const empty = { incarnation: one.registration.incarnation, sequence: 3, entries: [] };
      assert.equal((await one.call('/usage', { body: empty })).status, 200);
    });
  });

  describe('agent session', () => {
    test('makes an anonymous client once, which its code opens again', async () => {
      const made = await live.session(null);
      assert.equal(made.client_type, 'anonymous');
      assert.ok(made.client_id >= 200_000_000 && made.client_id <= 299_999_999);
      assert.ok(made.auth_code);
      assert.equal(made.relays.length >= 2, true);
      const again = await live.session(null, { client_id: made.client_id, auth_code: made.auth_code });
      assert.equal(again.client_id, made.client_id);
      assert.equal(again.auth_code, undefined);
      const claims = decodeJwt(again.ticket);
      assert.deepEqual(
        [claims.iss, claims.aud, claims.sub, claims['user_id'], claims['generation'], claims['group']],
        ['tunnox', 'tunnox-relay', String(made.client_id), null, 1, 'default'],
      );
      assert.equal(claims.exp! - claims.iat!, 12 * 3600);
    });

    test('opens only what the API key owns', async () => {
      const other = await live.tenant();
      const made = await live.session(tenant, { client_name: 'build server' });
      assert.equal((await live.session(tenant, { client_id: made.client_id })).client_id, made.client_id);
      const foreign = await live.trySession({ client_id: made.client_id }, { authorization: `Bearer ${other.apiKey}` });
      assert.equal(foreign.status, 404);
      const operator = await live.trySession({}, { authorization: `Bearer ${live.plane.operatorKey}` });
      assert.equal(operator.status, 403);
    });

    test('refuses a wrong code, a disabled client and a quota that is used up', async () => {
      const made = await live.session(tenant);
      const wrong = await live.trySession({ client_id: made.client_id, auth_code: 'wrong' });
      assert.equal(wrong.status, 401);
      const half = await live.trySession({ client_id: made.client_id });
      assert.equal(half.status, 422);
      await live.api('PUT', `/clients/${made.client_id}`, { enabled: false });
      const disabled = await live.trySession({ client_id: made.client_id, auth_code: made.auth_code! });
      assert.equal(((await disabled.json()) as { code: string }).code, 'client_disabled');
      const free = await live.tenant('free');
      await live.session(free);
      const over = await live.trySession({}, { authorization: `Bearer ${free.apiKey}` });
      assert.equal(((await over.json()) as { code: string }).code, 'quota_exceeded');
    });

    test('limits anonymous clients of one network by the hour', async () => {
      const from = (address: string) => live.trySession({}, { 'cf-connecting-ip': address });
      const answers = await Promise.all(Array.from({ length: 25 }, (_, index) => from(`203.0.113.${index}`)));
      assert.equal(answers.filter((answer) => answer.status === 200).length, 20);
      const refused = answers.find((answer) => answer.status !== 200);
      assert.equal(refused?.status, 429);
      assert.equal(refused?.headers.get('retry-after'), '3600');
      assert.equal((await from('198.51.100.1')).status, 200);
      assert.equal((await from('2001:db8::1')).status, 200);
    });

    test('limits anonymous clients of one IPv6 subscriber, and of all whose address is not told', async () => {
      const from = (address?: string) =>
        live.trySession({}, address === undefined ? {} : { 'cf-connecting-ip': address });
      const answers = await Promise.all(Array.from({ length: 22 }, (_, n) => from(`2001:db8:77:1:${n}::${n}`)));
      assert.equal(answers.filter(({ status }) => status === 200).length, 20);
      assert.equal((await from('2001:db8:77:2::1')).status, 200);
      await live.sql(`insert into anonymous_creations (network, hour, created) values ('unknown', date_trunc('hour', now()), 1999)
        on conflict (network, hour) do update set created = 1999`);
      try {
        assert.deepEqual(
          [(await from()).status, (await from()).status, (await from('not an address')).status],
          [200, 429, 429],
        );
      } finally {
        await live.sql(`delete from anonymous_creations where network = 'unknown'`);
      }
    });

    test('gives a configuration only when it is newer, to the client itself', async () => {
      const made = await live.session(tenant);
      const get = (since: number, token: string) =>
        fetch(`${live.plane.apiUrl}/agent/v1/config?since=${since}`, { headers: { authorization: `Bearer ${token}` } });
      assert.equal((await get(made.config.version, made.access_token)).status, 204);
      await live.domain(tenant, made.client_id);
      const changed = await get(made.config.version, made.access_token);
      assert.equal(changed.status, 200);
      const config = (await changed.json()) as { version: number; bindings: unknown[] };
      assert.ok(config.version > made.config.version);
      assert.equal(config.bindings.length, 1);
      assert.equal((await get(0, tenant.apiKey)).status, 401);
      assert.equal((await get(0, made.ticket)).status, 401);
      await live.api('POST', `/clients/${made.client_id}/rotate-code`);
      assert.equal((await get(0, made.access_token)).status, 401, 'rotated');
    });

    test('ends with the day: the sweep removes expired anonymous clients and their names', async () => {
      const made = await live.session(null);
      const domain = await live.api<{ full_domain: string }>(
        'POST',
        '/domains',
        { target_host: '127.0.0.1', target_port: 80 },
        made.access_token,
      );
      await one.attach(agentOf(made.client_id));
      assert.equal((await two.lookup(domain.full_domain)).found, true);
      await live.sql(
        `update clients set expires_at = now() - interval '1 second' where client_id = $1`,
        made.client_id,
      );
      await live.plane.runScheduled();
      assert.equal((await one.receive('close_client', (order) => order.client_id === made.client_id)).code, 'deleted');
      assert.equal((await two.lookup(domain.full_domain)).found, false);
      assert.deepEqual(await live.sql('select 1 from clients where client_id = $1', made.client_id), []);
      const late = await live.trySession({ client_id: made.client_id, auth_code: made.auth_code! });
      assert.equal(late.status, 401);
    });
  });
});

/** A "no" counts for a second in the isolate that gave it. */
async function untilFound(lookup: () => Promise<{ found: boolean }>): Promise<void> {
  const deadline = Date.now() + 3000;
  while (!(await lookup()).found) assert.ok(Date.now() < deadline, 'the name answers within three seconds');
}
