import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentRelay } from './live-ports.ts';
import { orderRelays } from './order-relays.ts';

const relay = (number: number, clients: number): AgentRelay => ({
  node_id: `node-00${number}`,
  incarnation: '01J00000000000000000000000',
  group: 'default',
  region: 'default',
  bridge: '10.0.0.1:1',
  agent_tcp: '10.0.0.1:2',
  agent_ws: '10.0.0.1:3',
  fingerprint: 'a'.repeat(64),
  status: 'online',
  clients,
});

test('orderRelays() puts the less loaded first and tells no load', () => {
  const ordered = orderRelays([relay(1, 5000), relay(2, 3), relay(3, 200)], () => 0.5);
  assert.deepEqual(
    ordered.map((one) => one.node_id),
    ['node-002', 'node-003', 'node-001'],
  );
  assert.ok(!('clients' in (ordered[0] ?? {})));
});

test('orderRelays() draws lots among relays of about the same load', () => {
  const lots = [0.9, 0.1];
  const ordered = orderRelays([relay(1, 1000), relay(2, 900)], () => lots.shift() ?? 0);
  assert.deepEqual(
    ordered.map((one) => one.node_id),
    ['node-002', 'node-001'],
  );
});
