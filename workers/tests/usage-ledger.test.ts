import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { ClientPolicy } from '@tunnox/domain/policy';
import type { UsageAnswer } from '@tunnox/domain/relay-api';
import type { FakeRelay } from './fake-relay.ts';
import { instanceId } from './fake-relay.ts';
import { LiveHarness, type Tenant } from './live-harness.ts';

const LEASE_MS = 3000;
const MIB = 2 ** 20;

interface Agent {
  clientId: number;
  bindingId: string;
  mappingId: number;
  session: { client_id: number; instance_id: string; connect_seq: number };
}

interface MappingState {
  status: string;
  problems: { client_id: number; code: string }[];
  delivery?: { state: string }[];
}

describe('usage ledger', () => {
  let live: LiveHarness;
  let one: FakeRelay;
  let two: FakeRelay;
  let beating: NodeJS.Timeout;
  const alive = new Set<FakeRelay>();
  before(async () => {
    live = await LiveHarness.start({ relayLeaseMs: LEASE_MS });
    const ports = { agent_tcp: 8080, agent_ws: 8081, http: 80, https: 443, bridge: 8443, metrics: 9090 };
    one = await live.relay({ ports: { ...ports, public_from: 20_000, public_to: 20_999 } });
    two = await live.relay();
    alive.add(one).add(two);
    beating = setInterval(() => alive.forEach((relay) => relay.sendRaw('ping')), LEASE_MS / 10);
  });
  after(async () => {
    clearInterval(beating);
    await live?.stop();
  });

  const quota = (tenant: Tenant, limits: object) => live.api('POST', `/users/${tenant.userId}/quota`, limits);

  /** A client with a mapping, attached. */
  async function attach(tenant: Tenant, relay: FakeRelay): Promise<{ agent: Agent; policy: ClientPolicy }> {
    const { client_id: clientId } = await live.api<{ client_id: number }>(
      'POST',
      '/clients',
      { client_name: 'a' },
      tenant.apiKey,
    );
    const { mapping_id: mappingId } = await live.api<{ mapping_id: number }>(
      'POST',
      '/mappings',
      { target_client_id: clientId, target_port: 80 },
      tenant.apiKey,
    );
    const session = { client_id: clientId, instance_id: instanceId(), connect_seq: 1 };
    const agent = { clientId, mappingId, bindingId: `mapping:${mappingId}`, session };
    return { agent, policy: await attachAgain(agent, relay) };
  }

  async function attachAgain({ session }: Agent, relay: FakeRelay): Promise<ClientPolicy> {
    const [result] = await relay.attach({ ...session, generation: 1, mode: 'attach' });
    assert.ok(result?.outcome === 'accepted');
    return result.policy;
  }

  async function mortalRelay(): Promise<FakeRelay> {
    const relay = await live.relay();
    alive.add(relay);
    await one.receive('peers', ({ peers }) => peers.some(({ node_id }) => node_id === relay.nodeId));
    one.forget('peers');
    return relay;
  }

  /** Without a word; resolves when its lease is over. */
  async function die(relay: FakeRelay): Promise<void> {
    alive.delete(relay);
    relay.drop();
    await one.receive('peers', ({ peers }) => peers.every(({ node_id }) => node_id !== relay.nodeId));
  }

  const waitingIn = (policy: ClientPolicy): string[] | undefined => policy.limits.ledger?.waiting_bindings;

  /** The next policy of the client that is pushed and fits. */
  async function pushed(
    relay: FakeRelay,
    { clientId }: Agent,
    fits: (policy: ClientPolicy) => boolean,
  ): Promise<ClientPolicy> {
    const { policy } = await relay.receive('policy', (message) => {
      return message.policy.client_id === clientId && fits(message.policy);
    });
    return policy;
  }

  const mappingOf = (tenant: Tenant, { mappingId }: Agent) =>
    live.api<MappingState>('GET', `/mappings/${mappingId}`, undefined, tenant.apiKey);

  describe('active mappings', () => {
    test('first come, first served, over all relays; who waits is told when it is its turn', async () => {
      const tenant = await live.tenant();
      await quota(tenant, { max_active_mappings: 2 });
      const a = await attach(tenant, one);
      const b = await attach(tenant, two);
      const c = await attach(tenant, one);
      assert.deepEqual(
        [a, b, c].map(({ policy }) => waitingIn(policy)),
        [[], [], [c.agent.bindingId]],
      );

      // The API says why.
      assert.equal((await mappingOf(tenant, a.agent)).status, 'active');
      const waits = await mappingOf(tenant, c.agent);
      assert.equal(waits.status, 'inactive');
      assert.deepEqual(
        waits.problems.map(({ client_id, code }) => [client_id, code]),
        [[c.agent.clientId, 'active_limit']],
      );
      const use = await live.api<Record<string, number>>('GET', `/users/${tenant.userId}/quota`);
      assert.deepEqual([use['current_active_mappings'], use['active_mappings_usage_percent']], [2, 100]);

      // A mapping that is made while there is no place exists, and waits.
      const made = await live.api<MappingState & { mapping_id: number }>(
        'POST',
        '/mappings',
        { target_client_id: a.agent.clientId, target_port: 81 },
        tenant.apiKey,
      );
      assert.equal(made.status, 'inactive');
      assert.deepEqual(made.problems[0]?.code, 'active_limit');
      const told = await pushed(one, a.agent, (policy) => policy.bindings.length === 2);
      assert.deepEqual(waitingIn(told), [`mapping:${made.mapping_id}`]);

      // Another is switched off: the first of those who wait has its place, at another relay.
      await live.api('PUT', `/mappings/${b.agent.mappingId}`, { enabled: false }, tenant.apiKey);
      await pushed(one, c.agent, (policy) => waitingIn(policy)?.length === 0);
      assert.equal((await mappingOf(tenant, c.agent)).status, 'active');
      // Switched on again, it is the last.
      const on = await live.api<MappingState>(
        'PUT',
        `/mappings/${b.agent.mappingId}`,
        { enabled: true },
        tenant.apiKey,
      );
      assert.deepEqual([on.status, on.problems[0]?.code], ['inactive', 'active_limit']);

      // More may be active: all are.
      one.forget('policy');
      two.forget('policy');
      await quota(tenant, { max_active_mappings: 4 });
      await pushed(one, a.agent, (policy) => waitingIn(policy)?.length === 0);
      await pushed(two, b.agent, (policy) => waitingIn(policy)?.length === 0);
      // Fewer: the youngest have to wait.
      await quota(tenant, { max_active_mappings: 1 });
      const last = await pushed(two, b.agent, (policy) => waitingIn(policy)?.length === 1);
      assert.deepEqual(waitingIn(last), [b.agent.bindingId]);
      await quota(tenant, { max_active_mappings: null });
      await pushed(two, b.agent, (policy) => waitingIn(policy)?.length === 0);
      assert.equal((await mappingOf(tenant, b.agent)).status, 'active');
    });

    test('the place of an agent that is gone goes to the next, but not of one that is back at once', async () => {
      const tenant = await live.tenant();
      await quota(tenant, { max_active_mappings: 1 });
      const first = await attach(tenant, one);
      const second = await attach(tenant, two);
      assert.deepEqual(waitingIn(second.policy), [second.agent.bindingId]);
      // To another relay, which says so before the first one does.
      first.agent.session.connect_seq = 2;
      assert.deepEqual(waitingIn(await attachAgain(first.agent, two)), []);
      await one.detach({ ...first.agent.session, connect_seq: 1 });
      // Over a broken connection.
      await two.detach(first.agent.session);
      first.agent.session.connect_seq = 3;
      assert.deepEqual(waitingIn(await attachAgain(first.agent, one)), []);
      assert.equal((await mappingOf(tenant, second.agent)).status, 'inactive');
      // For good.
      await one.detach(first.agent.session);
      await pushed(two, second.agent, (policy) => waitingIn(policy)?.length === 0);
      first.agent.session.connect_seq = 4;
      assert.deepEqual(waitingIn(await attachAgain(first.agent, one)), [first.agent.bindingId]);
    });

    test('a client that is disabled or deleted holds no place', async () => {
      const tenant = await live.tenant();
      await quota(tenant, { max_active_mappings: 1 });
      const [a, b, c] = [await attach(tenant, one), await attach(tenant, one), await attach(tenant, two)];
      await live.api('PUT', `/clients/${a.agent.clientId}`, { enabled: false }, tenant.apiKey);
      await pushed(one, b.agent, (policy) => waitingIn(policy)?.length === 0);
      await live.api('DELETE', `/clients/${b.agent.clientId}`, undefined, tenant.apiKey);
      await pushed(two, c.agent, (policy) => waitingIn(policy)?.length === 0);
    });

    test('a relay that died without a word holds no places', async () => {
      const tenant = await live.tenant();
      await quota(tenant, { max_active_mappings: 1 });
      const dying = await mortalRelay();
      await attach(tenant, dying);
      const waits = await attach(tenant, one);
      assert.deepEqual(waitingIn(waits.policy), [waits.agent.bindingId]);
      await die(dying);
      // Nothing happens, and yet it is found out.
      await pushed(one, waits.agent, (policy) => waitingIn(policy)?.length === 0);
    });

    test('a newcomer that finds no place makes the dead be looked for at once', async () => {
      const tenant = await live.tenant();
      await quota(tenant, { max_active_mappings: 1 });
      const dying = await mortalRelay();
      await attach(tenant, dying);
      await die(dying);
      assert.deepEqual(waitingIn((await attach(tenant, one)).policy), []);
    });
  });

  describe('bandwidth', () => {
    const bandwidthIn = (policy: ClientPolicy): number | null => policy.limits.bandwidth_bytes_per_s;

    async function report(relay: FakeRelay, sequence: number, shared: object[]): Promise<void> {
      const { incarnation } = relay.registration;
      const answer = await relay.call('/usage', { body: { incarnation, sequence, entries: [], shared } });
      assert.equal(answer.status, 200, await answer.clone().text());
    }

    test("relays share a user's limit, by what each has used", async () => {
      const tenant = await live.tenant();
      await quota(tenant, { total_bandwidth_limit: MIB });
      const a = await attach(tenant, one);
      assert.equal(bandwidthIn(a.policy), MIB);
      assert.equal(a.policy.limits.ledger?.total_bandwidth_bytes_per_s, MIB);
      // A second relay: each has a half, and the first is told.
      const b = await attach(tenant, two);
      assert.equal(bandwidthIn(b.policy), MIB / 2);
      assert.equal(bandwidthIn(await pushed(one, a.agent, (policy) => bandwidthIn(policy) !== MIB)), MIB / 2);
      // Another client at a relay that is there already changes nothing.
      const c = await attach(tenant, one);
      assert.equal(bandwidthIn(c.policy), MIB / 2);
      // Use decides; none gets nothing.
      one.forget('policy');
      await report(one, 1, [{ user_id: tenant.userId, bytes_per_s: 500_000 }]);
      const less = await pushed(two, b.agent, (policy) => bandwidthIn(policy) !== MIB / 2);
      const more = (await one.receive('policy')).policy;
      assert.ok([a.agent.clientId, c.agent.clientId].includes(more.client_id));
      assert.ok(Math.abs((bandwidthIn(less) ?? 0) - MIB * 0.1) <= 2);
      assert.ok(Math.abs((bandwidthIn(more) ?? 0) - MIB * 0.9) <= 2);
      assert.ok((bandwidthIn(less) ?? 0) + (bandwidthIn(more) ?? 0) <= MIB);
      // A new limit is shared out anew, and what was decided about the old one is over.
      await quota(tenant, { total_bandwidth_limit: 2 * MIB });
      const grown = await pushed(two, b.agent, (policy) => {
        return policy.limits.ledger?.total_bandwidth_bytes_per_s === 2 * MIB && (bandwidthIn(policy) ?? 0) < MIB;
      });
      assert.ok(Math.abs((bandwidthIn(grown) ?? 0) - MIB * 0.2) <= 2);
      // The last agent at a relay leaves: the other relay has it all.
      await two.detach(b.agent.session);
      await one.receive('policy', ({ policy }) => bandwidthIn(policy) === 2 * MIB);
      await quota(tenant, { total_bandwidth_limit: null });
      const free = await pushed(one, a.agent, (policy) => bandwidthIn(policy) === null);
      assert.equal(free.limits.ledger?.total_bandwidth_bytes_per_s, null);
    });

    test('a plan that is changed reaches attached agents, and what each may use', async () => {
      const plan = {
        ...{ max_clients: null, max_mappings: null, max_active_mappings: 1, max_connections_per_mapping: 2 },
        ...{ total_bandwidth_limit: 1000, monthly_traffic_limit: 5000 },
      };
      await live.api('PUT', '/plans/live', plan);
      const tenant = await live.tenant('live');
      const a = await attach(tenant, one);
      const b = await attach(tenant, two);
      assert.deepEqual(
        [bandwidthIn(b.policy), waitingIn(b.policy), b.policy.limits.traffic_remaining_bytes],
        [500, [b.agent.bindingId], 5000],
      );
      await live.api('PUT', '/plans/live', {
        ...plan,
        ...{ max_active_mappings: 2, total_bandwidth_limit: 4000, monthly_traffic_limit: 9000 },
      });
      for (const [relay, { agent }] of [
        [one, a],
        [two, b],
      ] as const) {
        const policy = await pushed(relay, agent, (each) => each.limits.traffic_remaining_bytes === 9000);
        assert.deepEqual([bandwidthIn(policy), waitingIn(policy)], [2000, []]);
      }
    });

    test('what is told before the control plane restarts stands after it', async () => {
      const tenant = await live.tenant();
      await quota(tenant, { total_bandwidth_limit: MIB, max_active_mappings: 1 });
      const a = await attach(tenant, one);
      const b = await attach(tenant, two);
      const version = b.policy.limits.ledger?.version ?? 0;
      await live.plane.pause();
      await live.plane.resume();
      await one.open();
      await two.open();
      a.agent.session.connect_seq += 1;
      b.agent.session.connect_seq += 1;
      const again = await attachAgain(b.agent, two);
      assert.deepEqual([waitingIn(again), bandwidthIn(again)], [[b.agent.bindingId], MIB / 2]);
      assert.ok((again.limits.ledger?.version ?? 0) >= version);
      assert.deepEqual(waitingIn(await attachAgain(a.agent, one)), []);
    });

    test('goes on while Postgres is away: places and shares need it not', async () => {
      const tenant = await live.tenant();
      await quota(tenant, { total_bandwidth_limit: MIB, max_active_mappings: 1 });
      const a = await attach(tenant, one);
      const b = await attach(tenant, two);
      await pushed(one, a.agent, (policy) => bandwidthIn(policy) === MIB / 2);
      await live.plane.postgres.pause();
      try {
        await one.detach(a.agent.session);
        const policy = await pushed(two, b.agent, (each) => waitingIn(each)?.length === 0);
        assert.equal(bandwidthIn(policy), MIB);
      } finally {
        await live.plane.postgres.resume();
      }
    });
  });

  test('a cut-off lifts by the next question, though the push was lost', async () => {
    const tenant = await live.tenant('free');
    await quota(tenant, { monthly_traffic_limit: 100 });
    const { agent } = await attach(tenant, one);
    const { incarnation } = one.registration;
    const counts = { bytes_in: 0, bytes_out: 150, connections: 1 };
    const ask = async (sequence: number, entries: object[]): Promise<UsageAnswer> => {
      const asking = { user_ids: [tenant.userId], client_ids: [] };
      const answer = await one.call('/usage', { body: { incarnation, sequence, entries, asking } });
      assert.equal(answer.status, 200, await answer.clone().text());
      return (await answer.json()) as UsageAnswer;
    };
    const entry = { binding_id: agent.bindingId, client_id: agent.clientId, user_id: tenant.userId, ...counts };
    assert.equal((await ask(101, [entry])).allowances[0]?.traffic_remaining_bytes, 0);
    await quota(tenant, { monthly_traffic_limit: 1000 });
    assert.equal((await ask(102, [])).allowances[0]?.traffic_remaining_bytes, 850);
  });

  test('anonymous clients are limited by their plan, without anybody to share with', async () => {
    const made = await live.session(null);
    await live.api('POST', '/domains', { target_host: '127.0.0.1', target_port: 80 }, made.access_token);
    const session = { client_id: made.client_id, instance_id: instanceId(), connect_seq: 1 };
    const [result] = await one.attach({ ...session, generation: 1, mode: 'attach' });
    assert.ok(result?.outcome === 'accepted');
    assert.deepEqual(result.policy.limits, {
      max_connections_per_mapping: null,
      bandwidth_bytes_per_s: null,
      traffic_remaining_bytes: 2 ** 30,
      ledger: { version: 0, total_bandwidth_bytes_per_s: null, max_active_mappings: 1, waiting_bindings: [] },
    });
  });
});
