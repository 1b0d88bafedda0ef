import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeAddress } from '@tunnox/domain/presence';
import { type CandidateOptions, candidates } from './candidates.ts';

function relay(number: number, status: NodeAddress['status'] = 'online'): NodeAddress {
  return {
    node_id: `node-00${number}`,
    incarnation: '01J00000000000000000000000',
    group: 'default',
    region: 'default',
    bridge: '127.0.0.1:1',
    agent_tcp: '127.0.0.1:2',
    agent_ws: '127.0.0.1:3',
    fingerprint: '0'.repeat(64),
    status,
  };
}

const short = (relays: NodeAddress[], options: Partial<CandidateOptions>) =>
  candidates(relays, { choice: 'tls', last: null, avoid: new Set(), ...options }).map(
    (each) => `${each.relay.node_id.slice(-1)}${each.transport}`,
  );

test('candidates() keeps the order of the control plane, the last relay first', () => {
  const relays = [relay(1), relay(2), relay(3)];
  assert.deepEqual(short(relays, {}), ['1tls', '2tls', '3tls']);
  assert.deepEqual(short(relays, { last: { nodeId: 'node-003', transport: 'tls' } }), ['3tls', '1tls', '2tls']);
  assert.deepEqual(short(relays, { last: { nodeId: 'node-009', transport: 'tls' } }), ['1tls', '2tls', '3tls']);
});

test('candidates() puts relays that drain or are away at the end, also the last one', () => {
  const relays = [relay(1, 'offline'), relay(2, 'draining'), relay(3), relay(4, 'starting')];
  assert.deepEqual(short(relays, {}), ['3tls', '4tls', '2tls', '1tls']);
  const last = { nodeId: 'node-003', transport: 'tls' } as const;
  assert.deepEqual(short(relays, { last, avoid: new Set(['node-003']) }), ['4tls', '2tls', '3tls', '1tls']);
});

test('candidates() with auto tries two relays by TLS, then by WebSocket', () => {
  const relays = [relay(1), relay(2), relay(3)];
  assert.deepEqual(short(relays, { choice: 'auto' }), ['1tls', '2tls', '1ws', '2ws', '3tls', '3ws']);
});

test('candidates() with auto begins with the transport that worked last', () => {
  const last = { nodeId: 'node-002', transport: 'ws' } as const;
  assert.deepEqual(short([relay(1), relay(2)], { choice: 'auto', last }), ['2ws', '1ws', '2tls', '1tls']);
});

test('candidates() tries six relays at the most', () => {
  const relays = [1, 2, 3, 4, 5, 6, 7, 8].map((number) => relay(number));
  assert.equal(short(relays, {}).length, 6);
});
