import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressOf, leaseEndsAt, registered, withStatus } from './node-state.ts';

const NOW = 1_800_000_000_000;
const random = new Uint8Array(16);
const profile = {
  node_id: 'node-001',
  fingerprint: 'a'.repeat(64),
  group: 'default',
  region: 'eu',
  public_address: '2001:db8::1',
  internal_address: '10.0.0.1',
  ports: {
    agent_tcp: 1,
    agent_ws: 2,
    http: 3,
    https: 4,
    bridge: 5,
    metrics: 6,
    public_from: 7,
    public_to: 8,
  },
  version: '1',
};

test('registered() makes a greater incarnation, also when the clock stands still or goes back', () => {
  const first = registered(null, profile, NOW, random);
  const second = registered(first, profile, NOW, random);
  const third = registered(second, profile, NOW - 60_000, random);
  assert.ok(first.incarnation < second.incarnation);
  assert.ok(second.incarnation < third.incarnation);
  assert.equal(third.status, 'starting');
});

test('leaseEndsAt() counts from the last sign of life of either kind', () => {
  const state = registered(null, profile, NOW, random);
  assert.equal(leaseEndsAt(state, 0, 30_000), NOW + 30_000);
  assert.equal(leaseEndsAt(state, NOW + 10_000, 30_000), NOW + 40_000);
});

test('withStatus() marks a change as not yet reported, and nothing else', () => {
  const state = { ...registered(null, profile, NOW, random), reported: true };
  assert.equal(withStatus(state, 'starting'), state);
  assert.deepEqual(withStatus(state, 'online'), { ...state, status: 'online', reported: false });
});

test('addressOf() puts IPv6 in brackets and gives peers the internal address', () => {
  const address = addressOf(registered(null, profile, NOW, random));
  assert.equal(address.agent_tcp, '[2001:db8::1]:1');
  assert.equal(address.agent_ws, '[2001:db8::1]:2');
  assert.equal(address.bridge, '10.0.0.1:5');
});
