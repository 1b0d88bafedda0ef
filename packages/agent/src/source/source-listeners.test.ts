import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { EventQueue } from '@tunnox/testing/event-queue';
import type { SourceBinding } from '../config/binding-table.ts';
import { Traffic } from '../traffic.ts';
import { SourceListeners } from './source-listeners.ts';

const source = (local_port: number): SourceBinding => ({
  role: 'source',
  binding_id: 'mapping:1001',
  protocol: 'tcp',
  enabled: true,
  local_port,
  target_client_id: 600_000_001,
  target: null,
  secret: 'x',
});

test('SourceListeners tries a port that is taken ever less often, anew after a change, and says when it is open', async (t) => {
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  const { port } = holder.address() as { port: number };
  const timers = new EventQueue<{ delayMs: number; run: () => void }>();
  const told = new EventQueue<string[]>();
  const listeners = new SourceListeners(
    {
      open: () => assert.fail('nobody connects'),
      traffic: new Traffic(),
      onFailed: () => {},
      clock: {
        now: () => 0,
        timer: (delayMs, run) => {
          timers.push({ delayMs, run });
          return { cancel: () => {} };
        },
      },
      random: () => 1,
      onProblems: () => told.push(listeners.problems.map(({ code }) => code)),
    },
    '127.0.0.1',
  );
  t.after(() => listeners.stop());
  await listeners.replace([source(port)]);
  const delays: number[] = [];
  for (let tries = 0; tries < 7; tries += 1) {
    const timer = await timers.next();
    delays.push(timer.delayMs);
    timer.run();
  }
  assert.deepEqual(delays, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  await timers.next();
  await listeners.replace([source(port)]);
  const timer = await timers.next();
  assert.equal(timer.delayMs, 1000);
  assert.deepEqual(
    listeners.problems.map(({ code }) => code),
    ['port_in_use'],
  );
  holder.close();
  await once(holder, 'close');
  timer.run();
  assert.deepEqual(await told.next(), []);
});
