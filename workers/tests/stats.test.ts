import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import type { ClientStats, DomainStats, MappingStats, SystemStats, UserStats } from '@tunnox/domain/api/stats';
import type { UsageRequest } from '@tunnox/domain/relay-api';
import { makeUlid } from '@tunnox/domain/ulid';
import { waitFor } from '@tunnox/testing/wait-for';
import type { FakeRelay } from './fake-relay.ts';
import { instanceId } from './fake-relay.ts';
import { LiveHarness, type Tenant } from './live-harness.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const WAIT_MS = 10_000;

let live: LiveHarness;
let relay: FakeRelay;
let sequence = 0;
before(async () => {
  live = await LiveHarness.start();
  relay = await live.relay();
});
after(() => live?.stop());

const agentOf = (client_id: number) => ({
  ...{ client_id, instance_id: instanceId(), connect_seq: 1, generation: 1 },
  mode: 'attach' as const,
});

async function report(
  from: FakeRelay,
  entries: UsageRequest['entries'],
  more: Partial<UsageRequest> = {},
): Promise<void> {
  const { incarnation } = from.registration;
  const answer = await from.call('/usage', { body: { incarnation, sequence: ++sequence, entries, ...more } });
  assert.equal(answer.status, 200, await answer.text());
}

/** A tenant with one client and a domain of it. */
async function household(plan = 'enterprise') {
  const tenant = await live.tenant(plan);
  const { client_id: clientId } = await live.session(tenant);
  const domain = await live.api<{ domain_id: number }>(
    'POST',
    '/domains',
    { client_id: clientId, target_host: '127.0.0.1', target_port: 80 },
    tenant.apiKey,
  );
  const entry = {
    ...{ binding_id: `domain:${domain.domain_id}`, client_id: clientId, user_id: tenant.userId },
    ...{ bytes_in: 10, bytes_out: 90, connections: 1 },
  };
  return { tenant, clientId, domainId: domain.domain_id, entry };
}

/** Writes of attaching and detaching go on after the answer. */
async function sessionOf(clientId: number, ended: boolean): Promise<{ attached: Date; detached: Date | null }> {
  let found: { attached: Date; detached: Date | null } | undefined;
  await waitFor(async () => {
    [found] = await live.sql<{ attached: Date; detached: Date | null }>(
      'select attached_at as attached, detached_at as detached from client_sessions where client_id = $1 order by attached_at desc',
      clientId,
    );
    return found !== undefined && (found.detached !== null) === ended;
  }, WAIT_MS);
  return found ?? assert.fail();
}

const userStats = (tenant: Tenant, query = '') =>
  live.api<UserStats>('GET', `/stats/users/${tenant.userId}${query}`, undefined, tenant.apiKey);
const clientStats = (clientId: number, query = '') =>
  live.api<ClientStats>('GET', `/stats/clients/${clientId}${query}`);

describe('counts', () => {
  test('of a user, a client and a domain are what the relay reported, and who is attached now', async () => {
    const { tenant, clientId, domainId, entry } = await household();
    const empty = await userStats(tenant);
    assert.deepEqual(empty, {
      user_id: tenant.userId,
      ...{ total_clients: 1, online_clients: 0, total_mappings: 1, active_mappings: 0 },
      ...{ current_month_traffic: 0, bandwidth_usage: 0, series: null },
    });
    const agent = agentOf(clientId);
    await relay.attach(agent);
    await report(relay, [entry, entry], { taken_at: new Date().toISOString(), interval_ms: 10_000 });
    assert.deepEqual(await userStats(tenant), {
      ...empty,
      ...{ online_clients: 1, active_mappings: 1, current_month_traffic: 200, bandwidth_usage: 20 },
    });
    const domain = await live.api<DomainStats>('GET', `/stats/domains/${domainId}`, undefined, tenant.apiKey);
    const { last_active_at, ...counts } = domain;
    assert.deepEqual(counts, {
      ...{ domain_id: domainId, active: true, series: null },
      ...{ total_connections: 2, total_bytes_in: 20, total_bytes_out: 180 },
    });
    assert.ok(Math.abs(Date.parse(last_active_at ?? '') - Date.now()) < 60_000);
    const client = await clientStats(clientId);
    assert.deepEqual(
      [client.total_bytes_received, client.total_bytes_sent, client.total_connections, client.active_mappings],
      [20, 180, 2, 1],
    );
    await live.api('PUT', `/domains/${domainId}`, { enabled: false }, tenant.apiKey);
    assert.equal((await userStats(tenant)).active_mappings, 0);
    assert.equal((await clientStats(clientId)).active_mappings, 0);
    await live.api('PUT', `/domains/${domainId}`, { enabled: true }, tenant.apiKey);
    await relay.detach(agent);
    assert.deepEqual(
      (({ online_clients, active_mappings }) => [online_clients, active_mappings])(await userStats(tenant)),
      [0, 0],
    );
    // What a client carried stays when the name is gone.
    await live.api('DELETE', `/domains/${domainId}`, undefined, tenant.apiKey);
    assert.equal((await clientStats(clientId)).total_bytes_sent, 180);
  });

  test('of a mapping: active while an upstream is attached', async () => {
    const { tenant, clientId, entry } = await household();
    const target = await live.session(tenant);
    const { mapping_id } = await live.api<{ mapping_id: number }>(
      'POST',
      '/mappings',
      {
        ...{ source_client_id: clientId, target_client_id: target.client_id, local_port: 5000 },
        ...{ protocol: 'tcp', target_host: '127.0.0.1', target_port: 5432 },
      },
      tenant.apiKey,
    );
    const read = () => live.api<MappingStats>('GET', `/stats/mappings/${mapping_id}?step=hour`);
    // The source alone serves nothing.
    await relay.attach(agentOf(clientId));
    assert.equal((await read()).active, false);
    await relay.attach(agentOf(target.client_id));
    await report(relay, [{ ...entry, binding_id: `mapping:${mapping_id}`, client_id: target.client_id }]);
    const stats = await read();
    assert.deepEqual([stats.active, stats.total_bytes_in, stats.total_bytes_out], [true, 10, 90]);
    assert.equal(stats.series?.points.length, 25);
    assert.deepEqual(
      stats.series.points.reduce((sum, point) => sum + point.bytes_out, 0),
      90,
    );
  });

  test('a report counts once in everything, in whichever hour it was taken', async () => {
    const { tenant, clientId, domainId, entry } = await household();
    const taken = new Date(Date.now() - 3 * HOUR_MS);
    // From the disk of a relay whose run of then has ended.
    const incarnation = makeUlid(taken.getTime() - HOUR_MS, randomBytes(16));
    const body = {
      ...{ incarnation, sequence: ++sequence, entries: [entry] },
      ...{ taken_at: taken.toISOString(), interval_ms: 60_000 },
    };
    await Promise.all([1, 2, 3].map(() => relay.call('/usage', { body })));
    const { series, bandwidth_usage } = await userStats(tenant, '?step=hour');
    const hour = new Date(Math.floor((taken.getTime() - 30_000) / HOUR_MS) * HOUR_MS).toISOString();
    assert.deepEqual(
      series?.points.filter(({ connections }) => connections > 0),
      [{ at: hour, bytes_in: 10, bytes_out: 90, connections: 1 }],
    );
    // What waited on a relay's disk is traffic, and no bandwidth of now.
    assert.equal(bandwidth_usage, 0);
    assert.equal((await clientStats(clientId)).total_bytes_sent, 90);
    const domain = await live.api<DomainStats>('GET', `/stats/domains/${domainId}?step=day`);
    assert.equal(
      domain.series?.points.reduce((sum, point) => sum + point.bytes_in, 0),
      10,
    );
  });

  test('bandwidth is the last interval of each relay, parts of a report together', async () => {
    const { tenant, entry } = await household();
    const second = await live.relay();
    const at = (ms: number) => new Date(Date.now() + ms).toISOString();
    const [before, now] = [at(-60_000), at(0)];
    await report(relay, [entry], { taken_at: before, interval_ms: 1000 });
    await report(relay, [entry], { taken_at: now, interval_ms: 10_000 });
    await report(relay, [entry], { taken_at: now, interval_ms: 10_000 });
    await report(second, [entry], { taken_at: now, interval_ms: 1000 });
    // An older report that comes late is no news.
    await report(relay, [entry], { taken_at: before, interval_ms: 1000 });
    assert.equal((await userStats(tenant)).bandwidth_usage, 20 + 100);
    await live.sql(
      `update user_bandwidth set reported_at = now() - interval '2 minutes' where user_id = $1`,
      tenant.userId,
    );
    assert.equal((await userStats(tenant)).bandwidth_usage, 0);
  });

  test('a relay of before, which says neither when nor for how long, counts as a minute that ends now', async () => {
    const { tenant, entry } = await household();
    await report(relay, [{ ...entry, bytes_out: 5990 }]);
    const { bandwidth_usage, series } = await userStats(tenant, '?step=hour');
    assert.equal(bandwidth_usage, 100);
    assert.equal(
      series?.points.reduce((sum, point) => sum + point.bytes_out, 0),
      5990,
    );
  });

  test('a user with more clients than are asked one by one is counted by its sessions', async () => {
    const { tenant, clientId } = await household();
    await live.sql(
      `insert into clients (user_id, type, auth_code_hash, name)
       select $1, 'managed', 'x', 'bulk' from generate_series(1, 600)`,
      tenant.userId,
    );
    await relay.attach(agentOf(clientId));
    await sessionOf(clientId, false);
    const stats = await userStats(tenant);
    assert.deepEqual([stats.total_clients, stats.online_clients, stats.active_mappings], [601, 1, 1]);
  });
});

describe('time series', () => {
  test('refuses what it cannot answer, with a sentence', async () => {
    const { tenant } = await household();
    const ago = (days: number) => new Date(Date.now() - days * DAY_MS).toISOString();
    const cases: [string, RegExp][] = [
      [`?from=${ago(60)}&step=hour`, /1000 points at most, or ask with step=day/],
      [`?from=${ago(37)}&to=${ago(20)}&step=hour`, /hours are kept from then on, or ask with step=day/],
      [`?from=${ago(500)}&step=day`, /days are kept from then on/],
      [`?from=${ago(1)}&to=${ago(2)}`, /must be before to/],
      [`?from=yesterday`, /from/],
      [`?step=minute`, /step/],
    ];
    for (const [query, pattern] of cases) {
      const answer = await live.tryApi('GET', `/stats/users/${tenant.userId}${query}`, undefined, tenant.apiKey);
      const problem = (await answer.json()) as { code: string; detail: string };
      assert.deepEqual([answer.status, problem.code], [422, 'invalid'], query);
      assert.match(problem.detail, pattern);
    }
  });

  test('hours that are old are added up to days by the sweep, once, and days end after their time', async () => {
    const { tenant, clientId, entry } = await household();
    const day = Math.floor(Date.now() / DAY_MS) * DAY_MS - 36 * DAY_MS;
    const insert = (step: string, atMs: number, bytesIn: number) =>
      live.sql(
        `insert into usage_rollups (step, starts_at, binding_id, client_id, user_id, bytes_in, bytes_out, connections)
         values ($1, $2, $3, $4, $5, $6, 1, 1)`,
        ...[step, new Date(atMs), entry.binding_id, clientId, tenant.userId, bytesIn],
      );
    for (let hour = 0; hour < 24; hour += 1) await insert('hour', day + hour * HOUR_MS, 1);
    await insert('hour', day + 2 * DAY_MS, 1000);
    await insert('day', day - 400 * DAY_MS, 5000);
    const read = async () => {
      const { series } = await userStats(tenant, `?step=day&from=${new Date(day).toISOString()}`);
      return series?.points.slice(0, 3).map(({ at, bytes_in, connections }) => [at, bytes_in, connections]);
    };
    const expected = [
      [new Date(day).toISOString(), 24, 24],
      [new Date(day + DAY_MS).toISOString(), 0, 0],
      [new Date(day + 2 * DAY_MS).toISOString(), 1000, 1],
    ];
    assert.deepEqual(await read(), expected);
    await live.plane.runScheduled();
    await live.plane.runScheduled();
    assert.deepEqual(await read(), expected);
    const rows = await live.sql(
      'select step, bytes_in::int from usage_rollups where user_id = $1 order by starts_at',
      tenant.userId,
    );
    assert.deepEqual(rows, [
      { step: 'day', bytes_in: 24 },
      { step: 'hour', bytes_in: 1000 },
    ]);
    // A report of then, late: its hour is added to the day that is there.
    await insert('hour', day, 7);
    await live.plane.runScheduled();
    assert.equal((await read())?.[0]?.[1], 31);
  });

  test('of the system is what all relays reported, for operators', async () => {
    const { tenant, entry } = await household();
    const sum = async () => {
      const { series } = await live.api<SystemStats>('GET', '/stats/system?step=hour');
      return series?.points.reduce((total, point) => total + point.bytes_out, 0) ?? 0;
    };
    const before = await sum();
    await report(relay, [entry, { ...entry, user_id: null, client_id: 299_000_000 }]);
    assert.equal(await sum(), before + 180);
    const refused = await live.tryApi('GET', '/stats/system', undefined, tenant.apiKey);
    assert.equal(refused.status, 403);
  });
});

describe('time online', () => {
  test('is the sum of sessions that ended and the one that goes on', async () => {
    const { clientId } = await household();
    const first = agentOf(clientId);
    await relay.attach(first);
    await sessionOf(clientId, false);
    await live.sql(
      `update client_sessions set attached_at = attached_at - interval '100 s' where client_id = $1`,
      clientId,
    );
    assert.ok(Math.abs((await clientStats(clientId)).online_duration - 100) <= 5);
    await relay.detach(first);
    await sessionOf(clientId, true);
    const ended = (await clientStats(clientId)).online_duration;
    assert.ok(Math.abs(ended - 100) <= 5, `${ended} s`);
    // Late and repeated words change nothing.
    await relay.detach(first);
    await relay.attach({ ...first, mode: 'announce' });
    assert.equal((await clientStats(clientId)).online_duration, ended);
    await relay.attach({ ...first, connect_seq: 2 });
    await sessionOf(clientId, false);
    await live.sql(
      `update client_sessions set attached_at = attached_at - interval '1000 s' where client_id = $1 and connect_seq = 2`,
      clientId,
    );
    const both = (await clientStats(clientId)).online_duration;
    assert.ok(Math.abs(both - ended - 1000) <= 5, `${both} s`);
  });

  test('of a session that is replaced or sent away ends there', async () => {
    const { tenant, clientId } = await household();
    const rows = () =>
      live.sql<{ seq: number; open: boolean }>(
        `select connect_seq::int as seq, detached_at is null as open from client_sessions where client_id = $1
         order by attached_at, connect_seq`,
        clientId,
      );
    const first = agentOf(clientId);
    await relay.attach(first);
    await sessionOf(clientId, false);
    await relay.attach({ ...agentOf(clientId), connect_seq: 7 });
    await waitFor(async () => (await rows()).length === 2, WAIT_MS);
    assert.deepEqual(await rows(), [
      { seq: 1, open: false },
      { seq: 7, open: true },
    ]);
    await live.api('POST', `/clients/${clientId}/disconnect`, undefined, tenant.apiKey);
    await sessionOf(clientId, true);
  });

  test('of many that attach at once and twice is written once for each', async () => {
    const tenant = await live.tenant();
    const made = await live.sql<{ client_id: number }>(
      `insert into clients (user_id, type, auth_code_hash, name)
       select $1, 'managed', 'x', 'bulk' from generate_series(1, 100) returning client_id::int`,
      tenant.userId,
    );
    const agents = made.map(({ client_id }) => agentOf(client_id));
    await Promise.all([relay.attach(...agents), relay.attach(...agents), relay.attach(...agents.toReversed())]);
    const open = async () => {
      const [row] = await live.sql<{ open: number }>(
        `select count(*)::int as open from client_sessions join clients using (client_id)
         where user_id = $1 and detached_at is null`,
        tenant.userId,
      );
      return row?.open;
    };
    await waitFor(async () => (await open()) === 100, WAIT_MS);
    await Promise.all([relay.detach(...agents), relay.detach(...agents)]);
    await waitFor(async () => (await open()) === 0, WAIT_MS);
  });

  test('what Postgres missed while it was away is found by the sweep', async () => {
    const { clientId } = await household();
    const { clientId: other } = await household();
    const gone = agentOf(other);
    await relay.attach(agentOf(clientId), gone);
    await sessionOf(clientId, false);
    await sessionOf(other, false);
    await relay.detach(gone);
    await sessionOf(other, true);
    // As if neither the begin of the one nor the end of the other had been written.
    await live.sql('delete from client_sessions where client_id = $1', clientId);
    await live.sql('update client_sessions set detached_at = null where client_id = $1', other);
    await live.plane.runScheduled();
    const begun = await sessionOf(clientId, false);
    assert.ok(Math.abs(begun.attached.getTime() - Date.now()) < 30_000);
    await sessionOf(other, true);
  });

  test('goes on over an outage of Postgres, in which agents come and go', async () => {
    const [{ clientId: stays }, { clientId: leaves }, { clientId: comes }] = [
      await household(),
      await household(),
      await household(),
    ];
    const away = await live.relay();
    const [first, second, third] = [agentOf(stays), agentOf(leaves), agentOf(comes)];
    // Its policy is known from before: that lets it in.
    await away.attach(first, second, third);
    await away.detach(third);
    await sessionOf(comes, true);
    await sessionOf(leaves, false);
    await live.plane.postgres.pause();
    const [again] = await away.attach({ ...third, connect_seq: 2 });
    assert.equal(again?.outcome, 'accepted');
    await away.detach(second);
    const detachedAt = Date.now();
    await live.plane.postgres.resume();
    // One of three relays: it has its turn now or with the next sweep, as a relay that tells its load would.
    away.send({ ...{ type: 'load', clients: 99, tunnels: 0, cpu: 0, memory_bytes: 0 }, bandwidth_bytes_per_s: 0 });
    await waitFor(async () => {
      await live.plane.runScheduled();
      const [row] = await live.sql('select 1 from client_sessions where client_id = $1 and connect_seq = 2', comes);
      return row !== undefined;
    }, WAIT_MS);
    const came = await sessionOf(comes, false);
    assert.ok(came.attached.getTime() <= detachedAt, 'since it came, not since it was found');
    const left = await sessionOf(leaves, true);
    assert.ok(Math.abs((left.detached?.getTime() ?? 0) - detachedAt) < 5000);
    assert.equal((await sessionOf(stays, false)).detached, null);
  });

  test('ends with the relay that dies, from its last sign of life', async () => {
    const short = await LiveHarness.start({ relayLeaseMs: 500 });
    try {
      const tenant = await short.tenant();
      const { client_id } = await short.session(tenant);
      const dying = await short.relay();
      const agent = agentOf(client_id);
      await dying.attach(agent);
      const open = () =>
        short.sql('select 1 from client_sessions where client_id = $1 and detached_at is null', client_id);
      await waitFor(async () => (await open()).length > 0, WAIT_MS);
      const online = async () => (await short.api<SystemStats>('GET', '/stats/system')).online_clients;
      dying.drop();
      // The lease ends by itself; from then on nobody says that the client is online, swept or not.
      await waitFor(async () => (await online()) === 0, WAIT_MS);
      assert.equal((await open()).length, 1);
      const seconds = async () => (await short.api<ClientStats>('GET', `/stats/clients/${client_id}`)).online_duration;
      assert.ok((await seconds()) <= 5);
      await short.plane.runScheduled();
      assert.equal((await open()).length, 0);
      const [row] = await short.sql<{ late: boolean }>(
        `select detached_at > greatest(s.attached_at, n.last_heartbeat_at) as late from client_sessions s join relay_nodes n using (node_id)
         where client_id = $1`,
        client_id,
      );
      assert.deepEqual(row, { late: false });
      // It was only silent: it comes back and announces who is there.
      await dying.open();
      await dying.receive('resync');
      await dying.attach({ ...agent, mode: 'announce' });
      await waitFor(async () => (await open()).length > 0, WAIT_MS);
      assert.equal(await online(), 1);
      await dying.detach(agent);
      await waitFor(async () => (await open()).length === 0, WAIT_MS);
      assert.ok((await seconds()) <= 10);
    } finally {
      await short.stop();
    }
  });
});
