import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Presence } from '@tunnox/domain/presence';
import type { NodeOwners } from './live-ports.ts';
import { createNodeControl } from './node-control.ts';

test('clientsOf() asks a bounded number of owners, and takes the notes for the others', async () => {
  const noted = Array.from({ length: 5000 }, (_, index) => 600_000_000 + index);
  let asked = 0;
  const nodes = { notedClients: async () => noted } as unknown as NodeOwners;
  const control = createNodeControl(nodes, {
    async read(ids) {
      asked += ids.length;
      const attached = ids.filter((id) => id !== 600_000_000);
      const node_id = (id: number) => (id === 600_000_001 ? 'node-002' : 'node-001');
      return new Map(attached.map((id) => [id, { client_id: id, node_id: node_id(id) } as Presence]));
    },
  });
  assert.deepEqual(await control.clientsOf('node-001'), noted.slice(2));
  assert.ok(asked <= 500, `${asked} owners were asked`);
});
