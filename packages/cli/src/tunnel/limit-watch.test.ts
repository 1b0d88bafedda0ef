import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LimitWatch } from './limit-watch.ts';

const FREE = {
  type: 'limits',
  bandwidth_bytes_per_s: null,
  max_connections_per_mapping: null,
  traffic_exhausted: false,
} as const;

test('LimitWatch tells what begins and what is over, each once', () => {
  const watch = new LimitWatch();
  const told = (notice: Parameters<LimitWatch['take']>[0]): string[] =>
    watch.take(notice).map(({ event, code, binding_id = '' }) => `${event} ${code} ${binding_id}`.trim());
  assert.deepEqual(told(FREE), []);
  assert.deepEqual(told({ ...FREE, traffic_exhausted: true }), ['problem traffic_limit']);
  assert.deepEqual(told({ ...FREE, traffic_exhausted: true, bandwidth_bytes_per_s: 5 }), []);
  assert.deepEqual(told({ ...FREE, waiting_bindings: ['mapping:1', 'mapping:2'] }), [
    'resolved traffic_limit',
    'problem active_limit mapping:1',
    'problem active_limit mapping:2',
  ]);
  assert.deepEqual(told({ ...FREE, waiting_bindings: ['mapping:2', 'domain:3'] }), [
    'problem active_limit domain:3',
    'resolved active_limit mapping:1',
  ]);
  assert.deepEqual(told(FREE), ['resolved active_limit mapping:2', 'resolved active_limit domain:3']);
});
