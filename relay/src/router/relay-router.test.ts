import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Binding } from '@tunnox/domain/binding';
import type { LookupAnswer } from '@tunnox/domain/lookup';
import type { ClientPolicy } from '@tunnox/domain/policy';
import type { NodeAddress, Presence } from '@tunnox/domain/presence';
import { FakeClock } from '@tunnox/testing/fake-clock';
import fc from 'fast-check';
import type { Upstream } from '../upstream/upstream.ts';
import { RelayRouter } from './relay-router.ts';

const CLIENT = 600_000_000;
const ULID = '01ARZ3NDEKTSV4RRFFQ69G5FAV';

function binding(version = 1, change: Partial<Binding> = {}): Binding {
  return {
    binding_id: 'domain:17',
    version,
    endpoint: 'foo.example.com',
    protocol: 'http',
    enabled: true,
    user_id: 100_000_001,
    source_client_id: null,
    upstreams: [{ client_id: CLIENT, weight: 1, priority: 0 }],
    host_header: null,
    warning_page: false,
    access: { allow: [], deny: [] },
    ...change,
  };
}

function node(nodeId: string): NodeAddress {
  return {
    node_id: nodeId,
    incarnation: ULID,
    group: 'default',
    region: 'default',
    bridge: 'h:1',
    agent_tcp: 'h:2',
    agent_ws: 'h:3',
    fingerprint: 'a'.repeat(64),
    status: 'online',
  };
}

function presence(nodeId: string, connectSeq = 1, clientId = CLIENT): Presence {
  return {
    client_id: clientId,
    node_id: nodeId,
    incarnation: ULID,
    instance_id: ULID,
    connect_seq: connectSeq,
    generation: 1,
    attached_at: '2026-01-01T00:00:00Z',
  };
}

function at(nodeId: string | null, version = 1, connectSeq = 1, change: Partial<Binding> = {}): LookupAnswer {
  const place =
    nodeId === null ? { presence: null, node: null } : { presence: presence(nodeId, connectSeq), node: node(nodeId) };
  return { found: true, binding: binding(version, change), upstreams: [{ client_id: CLIENT, ...place }] };
}

function upstream(key: string, kind: 'local' | 'peer' = 'peer'): Upstream & { closed: boolean } {
  return { kind, key, closed: false, open: () => Promise.reject(new Error('not used')) };
}

function policy(bindings: Binding[]): ClientPolicy {
  const limits = { max_connections_per_mapping: null, bandwidth_bytes_per_s: null, traffic_remaining_bytes: null };
  return { client_id: CLIENT, user_id: 100_000_001, generation: 1, config_version: 1, limits, bindings };
}

/** A router whose tiers the test answers for. */
class Bench {
  readonly clock = new FakeClock();
  readonly local = new Map<number, Upstream>();
  projected: LookupAnswer | null | 'away' = null;
  owned: LookupAnswer | 'away' = { found: false };
  projectionAsked = 0;
  ownerAsked = 0;
  readonly router: RelayRouter;

  constructor(projection = true) {
    this.router = new RelayRouter({
      clock: this.clock,
      random: () => 0,
      directory: {
        local: (clientId) => this.local.get(clientId) ?? null,
        peer: (where) => (where.node_id === 'node-001' ? null : upstream(`${where.node_id} ${where.connect_seq}`)),
      },
      projection: projection ? { resolve: async () => this.#project() } : null,
      owner: { lookup: async () => this.#own() },
    });
  }

  /** `open node-002 1`, `offline`, … and whether it came without a promise. */
  async decide(endpoint = 'foo.example.com'): Promise<string> {
    const decided = this.router.decide(endpoint);
    const sync = !(decided instanceof Promise);
    const decision = await decided;
    const detail =
      decision.kind === 'open'
        ? ` ${decision.upstreams.map(({ key }) => key).join()} v${decision.binding.version}`
        : '';
    return `${sync ? 'sync ' : ''}${decision.kind}${detail}`;
  }

  #project(): LookupAnswer | null {
    this.projectionAsked++;
    if (this.projected === 'away') throw new Error('away');
    return this.projected;
  }

  #own(): LookupAnswer {
    this.ownerAsked++;
    if (this.owned === 'away') throw new Error('away');
    return this.owned;
  }
}

test('RelayRouter.decide() asks the projection, then the owner, and answers from the cache without a promise', async () => {
  const bench = new Bench();
  bench.owned = at('node-002');
  assert.equal(await bench.decide(), 'open node-002 1 v1');
  assert.deepEqual([bench.projectionAsked, bench.ownerAsked], [1, 1]);
  assert.equal(await bench.decide(), 'sync open node-002 1 v1');
  bench.clock.advance(5001);
  bench.projected = at('node-003', 1, 2);
  assert.equal(await bench.decide(), 'open node-003 2 v1');
  assert.deepEqual([bench.projectionAsked, bench.ownerAsked], [2, 1]);
});

test('RelayRouter.decide() keeps the same upstream while the place is the same', async () => {
  const bench = new Bench();
  bench.owned = at('node-002');
  const first = await bench.router.decide('foo.example.com');
  bench.clock.advance(5001);
  const second = await bench.router.decide('foo.example.com');
  assert.ok(first.kind === 'open' && second.kind === 'open');
  assert.equal(first.upstreams[0], second.upstreams[0]);
});

test('RelayRouter.decide() makes one look-up of many questions at one time', async () => {
  const bench = new Bench();
  bench.owned = at('node-002');
  const answers = await Promise.all(Array.from({ length: 100 }, () => bench.decide()));
  assert.deepEqual([...new Set(answers)], ['open node-002 1 v1']);
  assert.equal(bench.ownerAsked, 1);
});

test('RelayRouter.decide() remembers "unknown" and "away" for a second only', async () => {
  const bench = new Bench();
  assert.equal(await bench.decide(), 'unknown');
  assert.equal(await bench.decide(), 'sync unknown');
  bench.clock.advance(1001);
  bench.owned = at(null);
  assert.equal(await bench.decide(), 'offline');
  assert.equal(await bench.decide(), 'sync offline');
  bench.clock.advance(1001);
  bench.owned = at('node-002');
  assert.equal(await bench.decide(), 'open node-002 1 v1');
});

test('RelayRouter.decide() prefers the session here to any presence, and needs nobody for it', async () => {
  const bench = new Bench(false);
  bench.owned = 'away';
  bench.local.set(CLIENT, upstream('here', 'local'));
  bench.router.applyPolicy(policy([binding()]));
  assert.equal(await bench.decide(), 'sync open here v1');
  bench.clock.advance(3_600_000);
  assert.equal(await bench.decide(), 'sync open here v1');
  bench.owned = at('node-002');
  bench.clock.advance(2000);
  assert.equal(await bench.decide(), 'sync open here v1');
});

test('RelayRouter.decide() takes a presence at this relay without a session as away', async () => {
  const bench = new Bench(false);
  bench.owned = at('node-001');
  assert.equal(await bench.decide(), 'offline');
});

test('RelayRouter serves a known route of any age while nobody answers, and asks again each second', async () => {
  const bench = new Bench();
  bench.owned = at('node-002');
  await bench.decide();
  bench.owned = 'away';
  bench.projected = 'away';
  bench.clock.advance(86_400_000);
  assert.equal(await bench.decide(), 'open node-002 1 v1');
  const asked = bench.ownerAsked;
  for (let n = 0; n < 50; n++) assert.equal(await bench.decide(), 'sync open node-002 1 v1');
  assert.equal(bench.ownerAsked, asked);
  assert.equal(bench.router.counters.stale, 51);
  bench.clock.advance(1001);
  assert.equal(await bench.decide(), 'sync open node-002 1 v1');
  assert.equal(bench.ownerAsked, asked + 1);
  assert.equal(await bench.decide('other.example.com'), 'unavailable');
  bench.owned = at('node-003', 1, 2);
  bench.clock.advance(1001);
  await bench.decide();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await bench.decide(), 'sync open node-003 2 v1');
});

test('RelayRouter evicts a route by the owner\'s "no" alone', async () => {
  const bench = new Bench();
  bench.owned = at('node-002');
  await bench.decide();
  bench.clock.advance(60_001);
  bench.projected = null;
  bench.owned = 'away';
  assert.equal(await bench.decide(), 'open node-002 1 v1');
  bench.owned = { found: false };
  bench.clock.advance(1001);
  await bench.decide();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await bench.decide(), 'sync unknown');
});

test('RelayRouter.forget() asks the owner past the projection that may be wrong', async () => {
  const bench = new Bench();
  bench.projected = at('node-002');
  const first = await bench.router.decide('foo.example.com');
  assert.ok(first.kind === 'open');
  bench.owned = at('node-003', 2, 2);
  bench.router.forget('foo.example.com', first.upstreams[0]);
  assert.equal(await bench.decide(), 'open node-003 2 v2');
  assert.deepEqual([bench.projectionAsked, bench.ownerAsked], [1, 1]);
});

test('RelayRouter.forget() leaves no way to a lost place when nobody can be asked', async () => {
  const bench = new Bench(false);
  bench.owned = at('node-002');
  const first = await bench.router.decide('foo.example.com');
  assert.ok(first.kind === 'open');
  bench.owned = 'away';
  bench.router.forget('foo.example.com', first.upstreams[0]);
  assert.equal(await bench.decide(), 'unavailable');
});

test('RelayRouter.applyPolicy() updates what is cached and expires what the client lost', async () => {
  const bench = new Bench(false);
  bench.local.set(CLIENT, upstream('here', 'local'));
  bench.router.applyPolicy(policy([binding(3)]));
  assert.equal(await bench.decide(), 'sync open here v3');
  bench.router.applyPolicy(policy([binding(2)]));
  assert.equal(await bench.decide(), 'sync open here v3');
  bench.router.applyPolicy(policy([binding(4)]));
  assert.equal(await bench.decide(), 'sync open here v4');
  bench.router.applyPolicy(policy([]));
  bench.owned = { found: false };
  assert.equal(await bench.decide(), 'unknown');
});

test('RelayRouter.applyPolicy() keys a private mapping by its id and ignores bindings of which the client is the source', async () => {
  const bench = new Bench(false);
  bench.owned = 'away';
  bench.local.set(CLIENT, upstream('here', 'local'));
  const other = [{ client_id: 600_000_001, weight: 1, priority: 0 }];
  bench.router.applyPolicy(
    policy([
      binding(1, { binding_id: 'mapping:1001', endpoint: null }),
      binding(1, { binding_id: 'mapping:1002', endpoint: null, source_client_id: CLIENT, upstreams: other }),
    ]),
  );
  assert.equal(await bench.decide('mapping:1001'), 'sync open here v1');
  assert.equal(await bench.decide('mapping:1002'), 'unavailable');
});

test('RelayRouter asks in the background before a busy route is old', async () => {
  const bench = new Bench(false);
  bench.owned = at('node-002');
  await bench.decide();
  bench.clock.advance(4500);
  bench.owned = at('node-003', 1, 2);
  assert.equal(await bench.decide(), 'sync open node-002 1 v1');
  assert.equal(await bench.decide(), 'sync open node-002 1 v1');
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(bench.ownerAsked, 2);
  assert.equal(await bench.decide(), 'sync open node-003 2 v1');
});

test('RelayRouter never answers by something older than its time while the owner answers', async () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('move' as const), to: fc.constantFrom('node-002', 'node-003', null) }),
    fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 70_000 }) }),
    fc.record({ do: fc.constant('ask' as const) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const bench = new Bench(false);
      const truths: { fromMs: number; shown: string }[] = [];
      let version = 0;
      const move = (to: string | null): void => {
        version++;
        bench.owned = at(to, version, version);
        truths.push({
          fromMs: bench.clock.now(),
          shown: to === null ? 'offline' : `open ${to} ${version} v${version}`,
        });
      };
      move('node-002');
      for (const one of steps) {
        if (one.do === 'move') move(one.to);
        else if (one.do === 'wait') bench.clock.advance(one.ms);
        else {
          const shown = (await bench.decide()).replace('sync ', '');
          const index = truths.findLastIndex((truth) => truth.shown === shown);
          const replacedAt = truths[index + 1]?.fromMs ?? Number.POSITIVE_INFINITY;
          const boundMs = shown === 'offline' ? 1000 : 5000;
          assert.ok(index >= 0 && bench.clock.now() - replacedAt <= boundMs, `${shown} was replaced long ago`);
        }
      }
    }),
  );
});

test('RelayRouter.decide() ends a route with its time, also while nobody can be asked', async () => {
  const bench = new Bench();
  const endsIn = (ms: number) => ({ expires_at: new Date(bench.clock.now() + ms).toISOString() });
  bench.owned = at('node-002', 1, 1, endsIn(3000));
  assert.equal(await bench.decide(), 'open node-002 1 v1');
  bench.clock.advance(2999);
  assert.equal(await bench.decide(), 'sync open node-002 1 v1');
  bench.owned = { found: false };
  bench.clock.advance(1);
  assert.equal(await bench.decide(), 'unknown');
  bench.clock.advance(2000);
  bench.owned = at('node-002', 3, 1, endsIn(1));
  assert.equal(await bench.decide(), 'open node-002 1 v3');
  bench.owned = 'away';
  bench.clock.advance(1);
  assert.equal(await bench.decide(), 'unavailable');
  // What its agent's relay was told is no different.
  bench.local.set(CLIENT, upstream('here', 'local'));
  bench.router.applyPolicy(policy([binding(5, endsIn(10))]));
  assert.equal(await bench.decide(), 'sync open here v5');
  bench.clock.advance(10);
  assert.equal(await bench.decide(), 'unavailable');
});

test('RelayRouter stays bounded under a scan of 100 000 unknown names, and serves a known one meanwhile', async () => {
  const clock = new FakeClock();
  let running = 0;
  let most = 0;
  const router = new RelayRouter({
    clock,
    random: () => 0,
    directory: { local: () => null, peer: () => upstream('peer') },
    projection: null,
    owner: {
      lookup: async (endpoint) => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        return endpoint === 'foo.example.com' ? at('node-002') : { found: false };
      },
    },
  });
  await router.decide('foo.example.com');
  const kinds = { open: 0, offline: 0, unknown: 0, unavailable: 0 };
  let known = 0;
  for (let batch = 0; batch < 20; batch++) {
    const decisions = Array.from({ length: 5000 }, (_, n) => router.decide(`x${batch}-${n}.example.com`));
    clock.advance(1000);
    const decision = await router.decide('foo.example.com');
    if (decision.kind === 'open') known++;
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(router.lookup.running <= 2100, String(router.lookup.running));
    for (const one of await Promise.all(decisions.map(async (decision) => decision))) kinds[one.kind]++;
  }
  assert.equal(known, 20);
  assert.equal(kinds.unknown + kinds.unavailable, 100_000);
  assert.ok(most <= 96, String(most));
  assert.ok(router.cache.size.unknown <= 10_000 && router.cache.size.routes === 1);
});
