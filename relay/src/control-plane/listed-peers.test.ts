import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeAddress } from '@tunnox/domain/presence';
import { FakeClock } from '@tunnox/testing/fake-clock';
import { ListedPeers } from './listed-peers.ts';

function peer(number: number): NodeAddress {
  return {
    node_id: `node-00${number}`,
    incarnation: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
    group: 'default',
    region: 'default',
    bridge: 'h:1',
    agent_tcp: 'h:2',
    agent_ws: 'h:3',
    fingerprint: String(number).repeat(64),
    status: 'online',
  };
}

test('ListedPeers finds peers by key, tells of changes, and asks for a newer list now and then', async () => {
  const clock = new FakeClock();
  let fetches = 0;
  const peers = new ListedPeers({
    clock,
    fetchPeers: async () => {
      fetches++;
      if (fetches === 2) throw new Error('away');
      return [peer(1), peer(2)];
    },
  });
  let changes = 0;
  const off = peers.onChange(() => changes++);
  peers.set([peer(1)]);
  assert.equal(peers.byFingerprint('1'.repeat(64))?.node_id, 'node-001');
  assert.equal(peers.byFingerprint('2'.repeat(64)), undefined);
  for (let n = 0; n < 5; n++) peers.refresh();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(peers.byFingerprint('2'.repeat(64))?.node_id, 'node-002');
  assert.deepEqual([fetches, changes, peers.size], [1, 2, 2]);
  clock.advance(2000);
  peers.refresh();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([fetches, changes, peers.size], [2, 2, 2]);
  off();
  peers.set([]);
  assert.equal(changes, 2);
});
