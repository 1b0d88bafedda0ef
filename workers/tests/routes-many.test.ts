import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { openIoredisRouteStore } from '@tunnox/route-store/ioredis-route-store';
import type { RouteStore } from '@tunnox/route-store/route-store';
import { needs } from '@tunnox/testing/needs';
import { type RedisFixture, startRedis } from '@tunnox/testing/redis-fixture';
import { waitFor } from '@tunnox/testing/wait-for';
import type { SQL } from 'drizzle-orm';
import { PgDialect } from 'drizzle-orm/pg-core';
import { createRouteRepository } from '../src/repositories/route-repository.ts';
import { type FakeRelay, instanceId } from './fake-relay.ts';
import { LiveHarness, type Tenant } from './live-harness.ts';

const ROUTES = 100_000;
const FEW = 1_000;
const CLIENTS = 100;
const BATCH = 500;
const SAMPLE = 200;
const MIB = 1024 * 1024;

interface ListedPage {
  routes: { endpoint: string }[];
  total: number;
  next_cursor: string | null;
}

describe('100 000 routes', { skip: needs('redis-server') }, () => {
  let redis: RedisFixture;
  let harness: LiveHarness;
  let store: RouteStore;
  let relay: FakeRelay;
  let tenant: Tenant;
  let clients: number[];
  let objectsBefore: number;
  let residentBefore: number;
  let medianOfFew: number;

  before(async () => {
    redis = await startRedis();
    harness = await LiveHarness.start({ redisUrl: redis.url });
    store = openIoredisRouteStore({ url: redis.url });
    tenant = await harness.tenant();
    await harness.api('POST', `/users/${tenant.userId}/quota`, { max_mappings: null, max_clients: null });
    clients = await Promise.all(
      Array.from({ length: CLIENTS }, async () => {
        const made = await harness.api<{ client_id: number }>('POST', '/clients', { client_name: 'a' }, tenant.apiKey);
        return made.client_id;
      }),
    );
    relay = await harness.relay();
    const session = { client_id: clients[0] ?? 0, instance_id: instanceId(), connect_seq: 1 };
    await relay.attach({ ...session, generation: 1, mode: 'attach' });
  });
  after(async () => {
    await store.close();
    await harness.stop();
    await redis.stop();
  });

  /** Name of the n-th route; a client's stand together. */
  const nameOf = (n: number): string =>
    `c${String(Math.floor((n * CLIENTS) / ROUTES)).padStart(3, '0')}-${String(n).padStart(6, '0')}.${harness.plane.baseDomain}`;
  const clientOf = (n: number): number => clients[Math.floor((n * CLIENTS) / ROUTES)] ?? 0;

  async function create(from: number, count: number, ttl_seconds = 3600): Promise<void> {
    const routes = Array.from({ length: count }, (_, index) => ({
      ...{ endpoint: nameOf(from + index), client_id: clientOf(from + index), target_port: 3000, ttl_seconds },
    }));
    const answer = await harness.api<{ created: number }>('POST', '/routes/batch', { routes }, tenant.apiKey);
    assert.equal(answer.created, count);
  }

  /** Median time in milliseconds of look-ups of routes that were not asked for before. */
  async function medianLookup(from: number, below: number): Promise<number> {
    const times: number[] = [];
    for (let n = from; times.length < SAMPLE; n += Math.floor((below - from) / SAMPLE)) {
      const begin = performance.now();
      const answer = await relay.lookup(nameOf(n));
      times.push(performance.now() - begin);
      assert.ok(answer.found && answer.binding.upstreams[0]?.client_id === clientOf(n));
    }
    return median(times);
  }

  const residentBytes = async (): Promise<number> => {
    const status = await readFile(`/proc/${harness.plane.workerdPid()}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
  };

  async function routeObjects(): Promise<number> {
    const files = await readdir(harness.plane.storageDir, { recursive: true });
    return files.filter((file) => file.includes('DomainRoute') && file.endsWith('.sqlite')).length;
  }

  test('are created in batches, without an object for each and in bounded memory', async (t) => {
    objectsBefore = await routeObjects();
    for (let from = 0; from < FEW; from += BATCH) await create(from, BATCH);
    await medianLookup(0, FEW / 2);
    medianOfFew = await medianLookup(FEW / 2, FEW);
    residentBefore = await residentBytes();
    const begin = performance.now();
    let next = FEW;
    const worker = async (): Promise<void> => {
      for (let from = next; from < ROUTES; from = next) {
        next += BATCH;
        await create(from, BATCH);
      }
    };
    await Promise.all([worker(), worker()]);
    t.diagnostic(`${ROUTES - FEW} routes made in ${Math.round(performance.now() - begin)} ms`);
    const grown = (await residentBytes()) - residentBefore;
    t.diagnostic(`the Worker's process has grown by ${Math.round(grown / MIB)} MiB`);
    assert.ok(grown < 256 * MIB, `${grown} bytes`);
    assert.equal(await routeObjects(), objectsBefore);
  });

  test('are looked up as fast as 1 000 are, and copied to Redis when they are', async (t) => {
    const medianOfMany = await medianLookup(FEW, ROUTES);
    t.diagnostic(`median look-up: ${medianOfFew.toFixed(1)} ms of ${FEW}, ${medianOfMany.toFixed(1)} ms of ${ROUTES}`);
    assert.ok(medianOfMany < 3 * medianOfFew + 5, `${medianOfFew} ms, then ${medianOfMany} ms`);
    await waitFor(async () => (await store.getRoute(nameOf(FEW)))?.binding?.route === true, 10_000);
    assert.equal(await store.getRoute(nameOf(ROUTES - 1)), null, 'nobody has asked for it');
    assert.equal(await routeObjects(), objectsBefore);
  });

  test('are listed by cursor, each once and in order, the last page as fast as the first', async (t) => {
    const begin = performance.now();
    const times: number[] = [];
    let cursor: string | null = null;
    let last = '';
    let count = 0;
    do {
      const started = performance.now();
      const query: string = cursor === null ? '' : `&cursor=${cursor}`;
      const page = await harness.api<ListedPage>('GET', `/routes?limit=100${query}`, undefined, tenant.apiKey);
      times.push(performance.now() - started);
      assert.equal(page.total, ROUTES);
      for (const { endpoint } of page.routes) {
        assert.ok(endpoint > last, `${endpoint} after ${last}`);
        last = endpoint;
      }
      count += page.routes.length;
      cursor = page.next_cursor;
    } while (cursor !== null);
    assert.equal(count, ROUTES);
    // The first page also counts them.
    const [early, late] = [median(times.slice(1, 101)), median(times.slice(-101, -1))];
    t.diagnostic(`${times.length} pages in ${Math.round(performance.now() - begin)} ms: ${early.toFixed(1)} ms each
      at the beginning, ${late.toFixed(1)} ms at the end, ${times[0]?.toFixed(1)} ms the first with the count`);
    assert.ok(late < 3 * early + 10, `${early} ms, then ${late} ms`);
  });

  test('are not all read for one page', async () => {
    await harness.sql('analyze');
    const user = { kind: 'user', userId: tenant.userId, namespaceIds: [1, 2] } as const;
    for (const who of [user, { kind: 'all' } as const]) {
      const statements: SQL[] = [];
      const capture = { query: async (statement: SQL) => (statements.push(statement), []) };
      await createRouteRepository(capture as never).list(who, {
        ...{ limit: 100, offset: 0, after: nameOf(ROUTES / 2), counted: false },
      });
      assert.equal(statements.length, 1);
      const { sql: text, params } = new PgDialect().sqlToQuery(statements[0] as SQL);
      const [row] = await harness.sql<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
        `explain (analyze, format json) ${text}`,
        ...params,
      );
      const nodes = row === undefined ? [] : nodesOf(row['QUERY PLAN'][0].Plan);
      assert.ok(nodes.length > 5);
      for (const node of nodes) {
        const read = (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'];
        assert.ok(read <= 1000, JSON.stringify({ ...node, Plans: undefined }));
      }
    }
  });

  test('end with their time: here, in Redis, and in lists, with no sweep', async () => {
    const name = `short.${harness.plane.baseDomain}`;
    const wish = { endpoint: name, client_id: clients[0], target_port: 80, ttl_seconds: 3 };
    const made = await harness.api<{ expires_at: string }>('POST', '/routes', wish, tenant.apiKey);
    assert.equal((await relay.lookup(name)).found, true);
    await waitFor(async () => (await store.getRoute(name)) !== null, 2_000);
    await waitFor(async () => (await store.getRoute(name)) === null, 10_000);
    assert.ok(Date.now() >= Date.parse(made.expires_at) - 50);
    await waitFor(async () => !(await relay.lookup(name)).found, 5_000);
  });

  test('are swept away in batches while others are made', async (t) => {
    await harness.sql(`update http_domain_mappings set expires_at = now() where user_id = $1`, tenant.userId);
    const [, gone] = await Promise.all([relay.lookup(nameOf(1)), relay.lookup(nameOf(ROUTES - 1))]);
    assert.deepEqual(gone, { found: false });
    const first = await harness.api<ListedPage>('GET', '/routes', undefined, tenant.apiKey);
    assert.deepEqual([first.total, first.routes], [0, []]);

    const begin = performance.now();
    let sweeping = true;
    const times: number[] = [];
    const writer = async (): Promise<void> => {
      for (let n = 0; sweeping; n += 1) {
        const started = performance.now();
        const wish = { endpoint: `while-${n}.${harness.plane.baseDomain}`, client_id: clients[1], ttl_seconds: 3600 };
        await harness.api('POST', '/routes', wish, tenant.apiKey);
        times.push(performance.now() - started);
      }
    };
    const sweeps = async (): Promise<void> => {
      try {
        for (let run = 0; run < 3; run += 1) await harness.plane.runScheduled();
      } finally {
        sweeping = false;
      }
    };
    await Promise.all([writer(), sweeps()]);
    const slowest = Math.max(...times);
    t.diagnostic(`swept in ${Math.round(performance.now() - begin)} ms; ${times.length} routes were made meanwhile,
      the slowest in ${Math.round(slowest)} ms`);
    assert.ok(times.length > 0 && slowest < 5_000, `${slowest} ms`);
    const [left] = await harness.sql<{ ended: number; waiting: number }>(
      `select (select count(*)::int from http_domain_mappings where expires_at <= now()) as ended,
        (select count(*)::int from outbox where delivered_at is null) as waiting`,
    );
    assert.deepEqual(left, { ended: 0, waiting: 0 });
    assert.equal(await routeObjects(), objectsBefore);
  });
});

interface PlanNode {
  'Node Type': string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  Plans?: PlanNode[];
}

function nodesOf(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)];
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
