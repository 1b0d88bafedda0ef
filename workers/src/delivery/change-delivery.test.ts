import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import type { Binding } from '@tunnox/domain/binding';
import type { ClientPolicy } from '@tunnox/domain/policy';
import type { RouteRecord } from '@tunnox/route-store/route-store';
import type { ExpelEvent, OutboxRow, PushOutcome, VoidedTickets } from '../services/live-ports.ts';
import type { ClientStanding } from '../services/ports.ts';
import { createDelivery, type OutboxDelivery } from './change-delivery.ts';

const HOST = 'foo.example.com';

const row = (id: number, change: Partial<OutboxRow>): OutboxRow => ({
  ...{ id, kind: 'binding_changed', bindingId: 'domain:1', endpoint: HOST, version: 2, deleted: false, change: null },
  clientIds: [1],
  createdAtMs: 1000,
  ...change,
});
const binding = (version: number, change: Partial<Binding> = {}): Binding => ({
  ...{ binding_id: 'domain:1', version, endpoint: HOST, protocol: 'http', enabled: true, user_id: null },
  ...{ source_client_id: null, upstreams: [], host_header: null, warning_page: false },
  access: { allow: [], deny: [] },
  ...change,
});
const policy = (client_id: number): ClientPolicy => ({
  ...{ client_id, user_id: null, generation: 1, config_version: 7, bindings: [] },
  limits: { max_connections_per_mapping: null, bandwidth_bytes_per_s: null, traffic_remaining_bytes: null },
});
const standing = (clientId: number, change: Partial<ClientStanding> = {}): ClientStanding => ({
  ...{ clientId, userId: 1, type: 'managed', name: 'x', state: 'active', generation: 1, configVersion: 7 },
  ...{ namespaceId: null, upgradedTo: null, authCodeHash: '', suspended: null },
  ...change,
});

describe('createDelivery()', () => {
  let waiting: Map<number, OutboxRow>;
  let claimed: Set<number>;
  let delivered: number[];
  let bindings: Map<string, Binding>;
  let standings: Map<number, ClientStanding>;
  let routes: Map<string, RouteRecord>;
  let expelled: { clientId: number; event: ExpelEvent; code: string }[];
  let voided: VoidedTickets[];
  let pushed: { clientId: number; waitMs: number }[];
  let outcome: PushOutcome | Error;
  let delivery: OutboxDelivery;

  beforeEach(() => {
    [waiting, claimed, delivered] = [new Map(), new Set(), []];
    [bindings, standings, routes] = [new Map(), new Map([[1, standing(1)]]), new Map()];
    [expelled, pushed, voided] = [[], [], []];
    outcome = { state: 'applied', problems: [] };
    const take = (ids: number[]) => {
      const taken = ids.filter((id) => waiting.has(id) && !claimed.has(id));
      for (const id of taken) claimed.add(id);
      return taken.map((id) => waiting.get(id)!);
    };
    delivery = createDelivery({
      outbox: {
        claim: async (ids) => take(ids),
        claimLeft: async (limit) => take([...waiting.keys()]).slice(0, limit),
        markDelivered: async (ids) => {
          for (const id of ids) waiting.delete(id);
          delivered.push(...ids);
        },
        clientsOf: async (ids) => ids.flatMap((id) => waiting.get(id)?.clientIds ?? []),
      },
      bindings: { load: async (id) => bindings.get(id) ?? null, loadByEndpoint: async () => null },
      policies: {
        loadStandings: async () => standings,
        loadPolicies: async (ids) =>
          new Map(ids.filter((id) => standings.get(id)?.state === 'active').map((id) => [id, policy(id)])),
        loadAgentConfig: async () => null,
      },
      routes: {
        get: async () => null,
        offer: async (endpoint, record) => {
          routes.set(endpoint, record);
          return record;
        },
      },
      presences: {
        expel: async (clientId: number, event: ExpelEvent, code: string) =>
          void expelled.push({ clientId, event, code }),
        push: async (sent: ClientPolicy, waitMs: number) => {
          if (outcome instanceof Error && sent.client_id === 1) throw outcome;
          pushed.push({ clientId: sent.client_id, waitMs });
          return outcome instanceof Error ? { state: 'pending', problems: [] } : outcome;
        },
      } as never,
      registry: { voidTickets: async (order) => void voided.push(order) },
      store: null,
    });
  });

  const put = (...rows: OutboxRow[]) => {
    for (const one of rows) waiting.set(one.id, one);
    return rows.map((one) => one.id);
  };

  test('tells the endpoint its binding as it is now, then every client, then marks the row', async () => {
    bindings.set('domain:1', binding(6));
    assert.deepEqual(await delivery.deliver(put(row(1, { version: 4 })), 2000), [{ client_id: 1, state: 'applied' }]);
    assert.deepEqual(routes.get(HOST), { version: 6, binding: binding(6) });
    assert.deepEqual(
      pushed.map((one) => one.clientId),
      [1],
    );
    assert.deepEqual(delivered, [1]);
  });

  test('leaves a tombstone of the row where the binding is deleted or has moved', async () => {
    await delivery.deliver(put(row(1, { deleted: true, version: 5 })), 0);
    assert.deepEqual(routes.get(HOST), { version: 5, binding: null });
    bindings.set('mapping:9', binding(8, { binding_id: 'mapping:9', endpoint: 'tcp:default:2' }));
    await delivery.deliver(put(row(2, { bindingId: 'mapping:9', endpoint: 'tcp:default:1', version: 7 })), 0);
    assert.deepEqual(routes.get('tcp:default:1'), { version: 7, binding: null });
  });

  test('keeps a private mapping under its id', async () => {
    const privately = binding(4, { binding_id: 'mapping:1001', endpoint: null });
    bindings.set('mapping:1001', privately);
    await delivery.deliver(put(row(1, { bindingId: 'mapping:1001', endpoint: null })), 0);
    assert.deepEqual(routes.get('mapping:1001')?.binding, privately);
  });

  test('delivers only the newest of several rows about an endpoint', async () => {
    const ids = put(row(1, { version: 3, deleted: true }), row(2, { version: 4 }));
    bindings.set('domain:1', binding(4));
    await delivery.deliver(ids, 0);
    assert.equal(routes.get(HOST)?.version, 4);
    assert.deepEqual(delivered, ids);
  });

  test('delivers a row once when deliveries and sweeps race', async () => {
    const ids = put(row(1, {}));
    await Promise.all([delivery.deliver(ids, 0), delivery.sweep(), delivery.deliver(ids, 0)]);
    assert.equal(pushed.length, 1);
  });

  test('says `pending` for clients of rows that somebody else delivers', async () => {
    const ids = put(row(1, { clientIds: [5] }));
    claimed.add(1);
    assert.deepEqual(await delivery.deliver(ids, 0), [{ client_id: 5, state: 'pending' }]);
  });

  test('keeps the row for the sweep when an owner cannot be reached', async () => {
    outcome = new Error('the object is away');
    const ids = put(row(1, {}));
    assert.deepEqual(await delivery.deliver(ids, 0), [{ client_id: 1, state: 'pending' }]);
    assert.deepEqual(delivered, []);
    claimed.clear();
    outcome = { state: 'pending', problems: [] };
    assert.equal(await delivery.sweep(), 1);
    assert.deepEqual(delivered, [1]);
  });

  test('marks the rows of those that were told, when another client cannot be', async () => {
    outcome = new Error('the object is away');
    standings.set(2, standing(2));
    await delivery.deliver(put(row(1, {}), row(2, { clientIds: [2], endpoint: 'bar.example.com' })), 0);
    assert.deepEqual(delivered, [2]);
  });

  test('tells many clients in parts, and waits for all of them together no longer than asked', async () => {
    const ids = Array.from({ length: 250 }, (_, index) => index + 2);
    standings = new Map(ids.map((id) => [id, standing(id)]));
    const told = await delivery.deliver(put(row(1, { clientIds: ids })), 2000);
    assert.equal(told.length, 250);
    assert.equal(new Set(pushed.map((one) => one.clientId)).size, 250);
    assert.ok(pushed.every((one) => one.waitMs <= 2000));
  });

  test('passes on what an agent could not do', async () => {
    const problems = [{ binding_id: 'mapping:1', code: 'port_in_use', message: 'Port 1 is in use' }];
    outcome = { state: 'failed', problems };
    const [told] = await delivery.deliver(put(row(1, { bindingId: 'mapping:1' })), 0);
    assert.deepEqual(told, { client_id: 1, state: 'failed', detail: 'mapping:1: Port 1 is in use' });
    // Of another binding: this one is in effect.
    const [other] = await delivery.deliver(put(row(2, { bindingId: 'mapping:2' })), 0);
    assert.deepEqual(other, { client_id: 1, state: 'applied' });
  });

  const changed = (change: string) => row(1, { kind: 'client_changed', bindingId: null, endpoint: null, change });

  for (const [change, state, code, attachedUntilMs] of [
    ['disabled', 'disabled', 'disabled', Number.MAX_SAFE_INTEGER],
    ['claimed', 'claimed', 'claimed', Number.MAX_SAFE_INTEGER],
    ['deleted', null, 'deleted', Number.MAX_SAFE_INTEGER],
    ['rotated', 'active', 'stale_ticket', null],
    ['disconnected', 'active', 'disconnected', 1000],
    // Switched on again before the word of the switching off came.
    ['disabled', 'active', 'disabled', null],
  ] as const) {
    test(`ends the session of a client that was ${change} and is ${state ?? 'gone'}`, async () => {
      standings = state === null ? new Map() : new Map([[1, standing(1, { state, generation: 3 })]]);
      const [told] = await delivery.deliver(put(changed(change)), 0);
      const generation = state === null ? 1 : 3;
      assert.deepEqual(expelled, [{ clientId: 1, code, event: { generation, attachedUntilMs } }]);
      assert.equal(told?.state, state === 'active' ? 'applied' : 'offline');
      // A client that was only sent away keeps its ticket; one that is gone has none that counts.
      const below = state === null ? Number.MAX_SAFE_INTEGER : 3;
      assert.deepEqual(
        voided.map((order) => [order.client_id, order.below_generation, order.code]),
        code === 'disconnected' ? [] : [[1, below, code]],
      );
    });
  }

  for (const change of ['limits', 'enabled', 'updated', 'created']) {
    test(`pushes the policy and ends nothing when a client was ${change}`, async () => {
      await delivery.deliver(put(changed(change)), 0);
      assert.deepEqual(expelled, []);
      assert.equal(pushed.length, 1);
    });
  }
});
