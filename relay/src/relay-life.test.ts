import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from '@tunnox/observability/logger';
import type { RelayCounts } from './admin/relay-status.ts';
import { RelayLife, type RelayOrders, type ServingRelay } from './relay-life.ts';

const log = createLogger({ name: 'test', level: 'silent' });

function bench(
  options: { startFails?: boolean; hangs?: boolean; dnsHangs?: boolean } = {},
  named: Promise<void> = Promise.resolve(),
) {
  const said: string[] = [];
  let orders: RelayOrders | null = null;
  let finish = (): void => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const relay: ServingRelay = {
    nodeId: 'node-001',
    incarnation: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
    counts: () => ({}) as RelayCounts,
    start: async () => {
      said.push('start');
      if (options.startFails === true) throw new Error('no port');
    },
    announceLeaving: (deadlineMs) => void said.push(`announce ${deadlineMs}`),
    leaveDns: async (signal) => {
      said.push('leave dns');
      if (options.dnsHangs === true) await new Promise((resolve) => signal.addEventListener('abort', resolve));
      else await named;
    },
    stopAccepting: () => void said.push('stop accepting'),
    finished: async (signal) => {
      said.push('wait');
      if (options.hangs === true) await new Promise((resolve) => signal.addEventListener('abort', resolve));
      else await finished;
    },
    leave: async () => void said.push('leave'),
    cut: async () => void said.push('cut'),
  };
  const life = new RelayLife({
    register: async (signal, given) => {
      orders = given;
      said.push('register');
      signal.throwIfAborted();
      return relay;
    },
    log,
  });
  const order = (): RelayOrders => {
    assert.ok(orders);
    return orders;
  };
  return { life, said, finish: () => finish(), order };
}

test('RelayLife drains in order and ends once', async () => {
  const { life, said, finish } = bench();
  assert.equal(life.phase, 'registering');
  assert.equal((await life.start())?.nodeId, 'node-001');
  assert.equal(life.phase, 'online');
  const drained = life.drain(400);
  assert.equal(life.phase, 'draining');
  assert.equal(life.drain(1), drained);
  finish();
  assert.equal(await life.ended, 'drained');
  assert.equal(life.phase, 'stopped');
  assert.deepEqual(said, ['register', 'start', 'announce 400', 'leave dns', 'stop accepting', 'wait', 'leave', 'cut']);
});

test('RelayLife.drain() accepts visitors until no DNS record leads to the relay', async () => {
  const { promise: named, resolve: outOfDns } = Promise.withResolvers<void>();
  const { life, said, finish } = bench({}, named);
  await life.start();
  void life.drain(4);
  finish();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(said.slice(2), ['announce 4', 'leave dns']);
  outOfDns();
  assert.equal(await life.ended, 'drained');
  assert.deepEqual(said.slice(4, 6), ['stop accepting', 'wait']);
});

test('RelayLife.abort() does not wait for the DNS', async () => {
  const { life, said } = bench({ dnsHangs: true });
  await life.start();
  void life.drain(4);
  void life.abort();
  assert.equal(await life.ended, 'aborted');
  assert.ok(said.includes('cut'));
});

test('RelayLife.drain() ends at its deadline, and at once before the relay is online', async () => {
  const hanging = bench({ hangs: true });
  await hanging.life.start();
  hanging.order().drain(20);
  assert.equal(await hanging.life.ended, 'drained');
  const early = bench();
  await early.life.drain(10_000);
  assert.equal(await early.life.start(), null);
  assert.equal(await early.life.ended, 'drained');
  assert.deepEqual(early.said, ['register']);
});

test('RelayLife ends when another process has taken the node', async () => {
  const { life, said, order } = bench();
  await life.start();
  order().superseded();
  assert.equal(await life.ended, 'superseded');
  assert.deepEqual(said, ['register', 'start', 'cut']);
});

test('RelayLife.start() tells why the relay could not start, and leaves nothing behind', async () => {
  const { life, said } = bench({ startFails: true });
  await assert.rejects(life.start(), /no port/);
  assert.equal(life.phase, 'stopped');
  assert.deepEqual(said, ['register', 'start', 'cut']);
});
