import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Presence } from '@tunnox/domain/presence';
import { createNodeControl } from './node-control.ts';

test('clientsOf() names a bounded number, which their owners confirm, and counts the others by the notes', async () => {
  const noted = Array.from({ length: 5000 }, (_, index) => 600_000_000 + index);
  let asked = 0;
  const nodes = { notedClients: async () => noted, drain: async () => true, forget: async () => true };
  const presences = {
    async read(ids: number[]) {
      asked += ids.length;
      const attached = ids.filter((id) => id !== 600_000_000);
      const node_id = (id: number) => (id === 600_000_001 ? 'node-002' : 'node-001');
      return new Map(attached.map((id) => [id, { client_id: id, node_id: node_id(id) } as Presence]));
    },
  };
  const control = createNodeControl(nodes, presences, { free: async () => true });
  assert.deepEqual(await control.clientsOf('node-001'), { ids: noted.slice(2, 500), total: 4998 });
  assert.ok(asked <= 500, `${asked} owners were asked`);
});

test('forget() frees the id only of a node whose object let go of it', async () => {
  const freed: string[] = [];
  const presences = { read: async () => new Map<number, Presence>() };
  const registry = { free: async (nodeId: string) => freed.push(nodeId) > 0 };
  const nodes = { notedClients: async () => [], drain: async () => true };
  const living = createNodeControl({ ...nodes, forget: async () => false }, presences, registry);
  assert.equal(await living.forget('node-001'), false);
  const offline = createNodeControl({ ...nodes, forget: async () => true }, presences, registry);
  assert.equal(await offline.forget('node-002'), true);
  assert.deepEqual(freed, ['node-002']);
});
