import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import type { Binding } from '@tunnox/domain/binding';
import type { NodeAddress, Presence } from '@tunnox/domain/presence';
import type { RouteStore } from './route-store.ts';

export interface ContractSetup {
  store: RouteStore;
  /** Lets the life of node records pass, or waits for it. */
  expireNodes(): Promise<void>;
  stop(): Promise<void>;
}

const EARLIER = '01J00000000000000000000000';
const LATER = '01K00000000000000000000000';

/** What every implementation of {@link RouteStore} guarantees. Keys are random: the store need not be empty. */
export function routeStoreContract(
  name: string,
  setUp: () => Promise<ContractSetup>,
  skip: string | false = false,
): void {
  describe(`${name}: RouteStore`, { skip }, () => {
    let setup: ContractSetup;
    let store: RouteStore;
    before(async () => {
      setup = await setUp();
      store = setup.store;
    });
    after(() => setup?.stop());

    test('getRoute(), getPresence() and getNode() give null for what nobody wrote', async () => {
      assert.equal(await store.getRoute(randomHost()), null);
      assert.equal(await store.getPresence(randomClient()), null);
      assert.equal(await store.getNode(randomNode()), null);
    });

    test('getRoute() gives back what putRoute() wrote', async () => {
      const binding = makeBinding(randomHost(), [randomClient()], 7);
      assert.equal(await store.putRoute(binding.endpoint!, { version: 7, binding }), true);
      assert.deepEqual(await store.getRoute(binding.endpoint!), { version: 7, binding });
    });

    test('putRoute() refuses an older version and takes the same and a newer one', async () => {
      const host = randomHost();
      const binding = makeBinding(host, [randomClient()], 7);
      await store.putRoute(host, { version: 7, binding });
      assert.equal(await store.putRoute(host, { version: 6, binding: { ...binding, version: 6 } }), false);
      assert.equal((await store.getRoute(host))?.version, 7);
      assert.equal(await store.putRoute(host, { version: 7, binding }), true);
      assert.equal(await store.putRoute(host, { version: 10, binding: { ...binding, version: 10 } }), true);
      assert.equal((await store.getRoute(host))?.version, 10);
    });

    test('putRoute() lets no late write bring a deleted route back', async () => {
      const host = randomHost();
      const binding = makeBinding(host, [randomClient()], 7);
      assert.equal(await store.putRoute(host, { version: 8, binding: null }), true);
      assert.equal(await store.putRoute(host, { version: 7, binding }), false);
      assert.equal(await store.putRoute(host, { version: 8, binding: { ...binding, version: 8 } }), false);
      assert.deepEqual(await store.getRoute(host), { version: 8, binding: null });
      assert.equal(await store.resolve(host), null);
      assert.equal(await store.putRoute(host, { version: 9, binding: { ...binding, version: 9 } }), true);
      assert.equal((await store.getRoute(host))?.binding?.version, 9);
    });

    test('putRoute() leaves the newest of many writes that arrive in any order', async () => {
      const host = randomHost();
      const binding = makeBinding(host, [randomClient()], 1);
      const versions = Array.from({ length: 20 }, (_, index) => index + 1).sort(() => Math.random() - 0.5);
      await Promise.all(versions.map((version) => store.putRoute(host, { version, binding: { ...binding, version } })));
      assert.equal((await store.getRoute(host))?.version, 20);
    });

    test('putPresence() compares the generation first and the order second', async () => {
      const clientId = randomClient();
      const presence = makePresence(clientId, randomNode(), LATER);
      assert.equal(await store.putPresence(clientId, { generation: 2, order: 1_900_000_000_000, presence }), true);
      assert.equal(
        await store.putPresence(clientId, { generation: 1, order: 1_900_000_000_009, presence: null }),
        false,
      );
      assert.equal(
        await store.putPresence(clientId, { generation: 2, order: 1_899_999_999_999, presence: null }),
        false,
      );
      assert.deepEqual(await store.getPresence(clientId), { generation: 2, order: 1_900_000_000_000, presence });
      assert.equal(await store.putPresence(clientId, { generation: 3, order: 1, presence: null }), true);
      assert.deepEqual(await store.getPresence(clientId), { generation: 3, order: 1, presence: null });
    });

    test('putNode() keeps a newer incarnation from an older one', async () => {
      const nodeId = randomNode();
      assert.equal(await store.putNode(makeNode(nodeId, LATER)), true);
      assert.equal(await store.putNode(makeNode(nodeId, EARLIER)), false);
      assert.equal((await store.getNode(nodeId))?.incarnation, LATER);
    });

    test('removeNode() is not undone by a late renewal, and spares a newer incarnation', async () => {
      const nodeId = randomNode();
      await store.putNode(makeNode(nodeId, EARLIER));
      await store.removeNode(nodeId, EARLIER);
      assert.equal(await store.getNode(nodeId), null);
      assert.equal(await store.putNode(makeNode(nodeId, EARLIER)), false);
      assert.equal(await store.putNode(makeNode(nodeId, LATER)), true);
      await store.removeNode(nodeId, EARLIER);
      assert.equal((await store.getNode(nodeId))?.incarnation, LATER);
    });

    test('getNode() forgets a node that is not renewed', async () => {
      const nodeId = randomNode();
      await store.putNode(makeNode(nodeId, LATER));
      await setup.expireNodes();
      assert.equal(await store.getNode(nodeId), null);
    });

    test('resolve() joins route, presences and nodes', async () => {
      const [here, away, dead] = [randomClient(), randomClient(), randomClient()];
      const nodeId = randomNode();
      const binding = makeBinding(randomHost(), [here, away, dead], 3);
      const node = makeNode(nodeId, LATER);
      const presence = makePresence(here, nodeId, LATER);
      await store.putRoute(binding.endpoint!, { version: 3, binding });
      await store.putNode(node);
      await store.putPresence(here, { generation: 1, order: 1, presence });
      await store.putPresence(away, { generation: 1, order: 1, presence: null });
      await store.putPresence(dead, { generation: 1, order: 1, presence: makePresence(dead, nodeId, EARLIER) });
      assert.deepEqual(await store.resolve(binding.endpoint!), {
        found: true,
        binding,
        upstreams: [
          { client_id: here, presence, node },
          { client_id: away, presence: null, node: null },
          { client_id: dead, presence: null, node: null },
        ],
      });
    });

    test('resolve() gives null when the route, every presence or every node is unknown', async () => {
      const clientId = randomClient();
      const nodeId = randomNode();
      const binding = makeBinding(randomHost(), [clientId], 3);
      assert.equal(await store.resolve(binding.endpoint!), null);
      await store.putRoute(binding.endpoint!, { version: 3, binding });
      assert.equal(await store.resolve(binding.endpoint!), null);
      await store.putPresence(clientId, { generation: 1, order: 1, presence: makePresence(clientId, nodeId, LATER) });
      assert.equal(await store.resolve(binding.endpoint!), null);
      await store.putNode(makeNode(nodeId, LATER));
      assert.notEqual(await store.resolve(binding.endpoint!), null);
    });

    test('close() can be called twice', async () => {
      await store.close();
      await store.close();
    });
  });
}

function randomHost(): string {
  return `${randomInt(2 ** 40).toString(36)}.example.com`;
}

function randomClient(): number {
  return randomInt(600_000_000, 1_000_000_000);
}

function randomNode(): string {
  return `node-${String(randomInt(1, 1000)).padStart(3, '0')}`;
}

function makeBinding(endpoint: string, clientIds: number[], version: number): Binding {
  return {
    binding_id: 'domain:17',
    version,
    endpoint,
    protocol: 'http',
    enabled: true,
    user_id: 100_000_001,
    source_client_id: null,
    upstreams: clientIds.map((client_id) => ({ client_id, weight: 100, priority: 0 })),
    host_header: null,
    warning_page: false,
    access: { allow: [], deny: [] },
  };
}

function makePresence(clientId: number, nodeId: string, incarnation: string): Presence {
  return {
    client_id: clientId,
    node_id: nodeId,
    incarnation,
    instance_id: LATER,
    connect_seq: 1,
    generation: 1,
    attached_at: '2026-01-01T00:00:00.000Z',
  };
}

function makeNode(nodeId: string, incarnation: string): NodeAddress {
  return {
    node_id: nodeId,
    incarnation,
    group: 'default',
    region: 'default',
    bridge: '127.0.0.1:8443',
    agent_tcp: '127.0.0.1:8080',
    agent_ws: '127.0.0.1:8081',
    fingerprint: 'a'.repeat(64),
    status: 'online',
  };
}
