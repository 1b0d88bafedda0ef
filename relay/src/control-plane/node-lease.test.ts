import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeAddress } from '@tunnox/domain/presence';
import { createLogger } from '@tunnox/observability/logger';
import { FakeClock } from '@tunnox/testing/fake-clock';
import { NodeLease } from './node-lease.ts';

const node: NodeAddress = {
  node_id: 'node-001',
  incarnation: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
  group: 'default',
  region: 'default',
  bridge: 'h:1',
  agent_tcp: 'h:2',
  agent_ws: 'h:3',
  fingerprint: 'a'.repeat(64),
  status: 'online',
};
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("NodeLease renews at a third of the record's life, also after failures, and tells a new status at once", async () => {
  const clock = new FakeClock();
  const written: string[] = [];
  let away = false;
  const put = async ({ status }: NodeAddress): Promise<boolean> => {
    if (away) throw new Error('away');
    written.push(status);
    return true;
  };
  const lease = new NodeLease({ put, clock, log: createLogger({ name: 'test', level: 'silent' }) }, node);
  lease.start();
  lease.start();
  await turn();
  assert.deepEqual(written, ['online']);
  away = true;
  clock.advance(10_000);
  await turn();
  away = false;
  clock.advance(10_000);
  await turn();
  assert.deepEqual(written, ['online', 'online']);
  lease.setStatus('draining');
  await turn();
  assert.deepEqual(written, ['online', 'online', 'draining']);
  assert.equal(clock.pending, 1);
  lease.stop();
  lease.setStatus('offline');
  await turn();
  assert.equal(written.length, 3);
  assert.equal(clock.pending, 0);
});
