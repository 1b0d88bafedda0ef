import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import type { Binding } from '@tunnox/domain/binding';
import type { NodeAddress, Presence } from '@tunnox/domain/presence';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { MemoryRouteStore } from '@tunnox/route-store/memory-route-store';
import type { PresenceRecord, RouteRecord } from '@tunnox/route-store/route-store';
import { ExistenceCache } from './existence-cache.ts';
import { createLookup, type Lookup } from './lookup.ts';
import { createPresenceReader } from './presence-reader.ts';
import { RememberedRoutes } from './remembered-routes.ts';

const RUN = '01J00000000000000000000000';
const HOST = 'foo.example.com';
const AWAY: PresenceRecord = { generation: 1, order: 0, presence: null };

const binding = (version: number, clients = [1]): Binding => ({
  binding_id: 'domain:1',
  version,
  endpoint: HOST,
  protocol: 'http',
  enabled: true,
  user_id: null,
  source_client_id: null,
  upstreams: clients.map((client_id) => ({ client_id, weight: 1, priority: 0 })),
  host_header: null,
  warning_page: false,
  access: { allow: [], deny: [] },
});
const presence = (client_id: number, node_id: string): PresenceRecord => ({
  generation: 1,
  order: 5,
  presence: {
    ...{ client_id, node_id, incarnation: RUN, instance_id: RUN, connect_seq: 1, generation: 1 },
    attached_at: '2026-01-01T00:00:00.000Z',
  } satisfies Presence,
});
const node = (node_id: string): NodeAddress => ({
  ...{
    node_id,
    incarnation: RUN,
    group: 'default',
    region: 'default',
    bridge: 'b:1',
    agent_tcp: 'a:1',
    agent_ws: 'a:2',
  },
  fingerprint: 'a'.repeat(64),
  status: 'online',
});

describe('createLookup()', () => {
  let now: number;
  let away: boolean;
  let stored: Map<string, Binding>;
  let owners: Map<string, RouteRecord>;
  let places: Map<number, PresenceRecord>;
  let live: Set<string>;
  let asked: { postgres: number; owners: string[] };
  let later: Promise<unknown>[];
  let store: MemoryRouteStore;
  let lookup: Lookup;

  beforeEach(() => {
    now = 0;
    away = false;
    [stored, owners, places, live, later] = [new Map(), new Map(), new Map(), new Set(), []];
    asked = { postgres: 0, owners: [] };
    store = new MemoryRouteStore({ now: () => now });
    lookup = createLookup({
      bindings: {
        load: async () => null,
        loadByEndpoint: async (endpoint) => {
          asked.postgres += 1;
          if (away) throw new TunnoxError('unavailable', 'away');
          return stored.get(endpoint) ?? null;
        },
      },
      routes: {
        get: async (endpoint) => {
          asked.owners.push(endpoint);
          return owners.get(endpoint) ?? null;
        },
        offer: async (endpoint, record) => {
          asked.owners.push(endpoint);
          const held = owners.get(endpoint);
          if (held !== undefined && held.version >= record.version) return held;
          owners.set(endpoint, record);
          return record;
        },
      },
      presences: { locate: async (clientId: number) => places.get(clientId) ?? AWAY } as never,
      nodes: { locate: async (nodeId: string) => (live.has(nodeId) ? node(nodeId) : null) } as never,
      store,
      existence: new ExistenceCache(() => now, { entriesMax: 100, negativeMs: 1000 }),
      remembered: new RememberedRoutes(() => now),
      later: (work) => later.push(work),
    });
  });

  test('asks Postgres before any owner, and no owner about what does not exist', async () => {
    assert.deepEqual(await lookup('scan.example.com'), { found: false });
    assert.deepEqual(await lookup('scan.example.com'), { found: false });
    assert.equal(asked.postgres, 1, 'the "no" counts for a second');
    now = 1000;
    await lookup('scan.example.com');
    assert.equal(asked.postgres, 2);
    assert.deepEqual(asked.owners, []);
  });

  test('asks Postgres once for an endpoint that exists', async () => {
    stored.set(HOST, binding(2));
    for (let times = 0; times < 5; times += 1) assert.equal((await lookup(HOST)).found, true);
    assert.equal(asked.postgres, 1);
  });

  test('answers routes from Postgres alone, and makes no owner for them', async () => {
    stored.set(HOST, { ...binding(2), route: true });
    for (let times = 0; times < 3; times += 1) assert.equal((await lookup(HOST)).found, true);
    assert.deepEqual([asked.postgres, asked.owners], [3, []]);
    stored.set(HOST, { ...binding(4), route: true });
    const answer = await lookup(HOST);
    assert.equal(answer.found && answer.binding.version, 4);
    stored.delete(HOST);
    assert.deepEqual(await lookup(HOST), { found: false });
    // The name is a domain now.
    now = 1000;
    stored.set(HOST, binding(6));
    assert.equal((await lookup(HOST)).found, true);
    assert.deepEqual(asked.owners, [HOST]);
  });

  test('answers a route that it knows while Postgres is away, until its end', async () => {
    now = 1_000_000;
    stored.set(HOST, { ...binding(2), route: true, expires_at: new Date(now + 5000).toISOString() });
    await lookup(HOST);
    away = true;
    now += 4999;
    assert.equal((await lookup(HOST)).found, true);
    now += 1;
    await assert.rejects(lookup(HOST), /away/);
    await assert.rejects(lookup('other.example.com'), /away/);
    assert.deepEqual(asked.owners, []);
  });

  test("believes the owner's newer binding", async () => {
    stored.set(HOST, binding(2));
    owners.set(HOST, { version: 4, binding: binding(4) });
    const answer = await lookup(HOST);
    assert.equal(answer.found && answer.binding.version, 4);
  });

  test("believes the owner's tombstone against an older row, and a newer row against the tombstone", async () => {
    stored.set(HOST, binding(2));
    owners.set(HOST, { version: 3, binding: null });
    assert.deepEqual(await lookup(HOST), { found: false });
    stored.set(HOST, binding(4));
    const answer = await lookup(HOST);
    assert.equal(answer.found && answer.binding.version, 4);
  });

  test('places a client only on a node that lives', async () => {
    stored.set(HOST, binding(2, [1, 2, 3]));
    places.set(1, presence(1, 'node-001'));
    places.set(2, presence(2, 'node-002'));
    live.add('node-001');
    const answer = await lookup(HOST);
    assert.ok(answer.found);
    assert.deepEqual(
      answer.upstreams.map((upstream) => upstream.node?.node_id),
      ['node-001', undefined, undefined],
    );
    assert.deepEqual(
      answer.upstreams.map((upstream) => upstream.presence === null),
      [false, true, true],
    );
  });

  test('leaves the answer in Redis for the next who asks', async () => {
    stored.set(HOST, binding(2));
    places.set(1, presence(1, 'node-001'));
    live.add('node-001');
    const answer = await lookup(HOST);
    await Promise.all(later);
    await store.putNode(node('node-001'));
    assert.deepEqual(await store.resolve(HOST), answer);
  });

  test('answers although Redis fails', async () => {
    stored.set(HOST, binding(2));
    store.putRoute = () => Promise.reject(new Error('away'));
    assert.equal((await lookup(HOST)).found, true);
    await Promise.all(later);
  });
});

test('createPresenceReader() reads each client and each run once, and leaves out who is away', async () => {
  const calls: string[] = [];
  const places = new Map([
    [1, presence(1, 'node-001')],
    [2, presence(2, 'node-001')],
    [3, presence(3, 'node-002')],
  ]);
  const reader = createPresenceReader(
    {
      locate: async (clientId: number) => {
        calls.push(String(clientId));
        return places.get(clientId) ?? AWAY;
      },
    } as never,
    {
      locate: async (nodeId: string) => {
        calls.push(nodeId);
        return nodeId === 'node-001' ? node(nodeId) : null;
      },
    } as never,
  );
  assert.deepEqual([...(await reader.read([1, 2, 2, 3, 4])).keys()].sort(), [1, 2]);
  assert.deepEqual(calls.sort(), ['1', '2', '3', '4', 'node-001', 'node-002']);
});
