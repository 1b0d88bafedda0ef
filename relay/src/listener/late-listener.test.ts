import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from '@tunnox/observability/logger';
import { LateListener } from './late-listener.ts';

const log = createLogger({ name: 'test', level: 'silent' });

function bench(failures = 0) {
  const calls: string[] = [];
  const late = new LateListener(
    {
      start: async () => {
        calls.push('start');
        if (calls.filter((call) => call === 'start').length <= failures) throw new Error('the port is taken');
        return 1;
      },
      stop: () => void calls.push('stop'),
    },
    log,
  );
  return { calls, late };
}

const turn = () => new Promise(setImmediate);

test('LateListener begins once, however often it is told to', async () => {
  const { calls, late } = bench();
  late.begin();
  late.begin();
  await late.start();
  await turn();
  assert.deepEqual(calls, ['start']);
});

test('LateListener tries again what has failed, when it is told to again', async () => {
  const { calls, late } = bench(1);
  late.begin();
  await turn();
  late.begin();
  await turn();
  late.begin();
  await turn();
  assert.deepEqual(calls, ['start', 'start']);
});

test('LateListener does not begin any more when it was stopped, also in the middle', async () => {
  const { calls, late } = bench();
  late.begin();
  late.stop();
  await turn();
  assert.deepEqual(calls, ['start', 'stop', 'stop']);
  late.begin();
  await turn();
  assert.equal(calls.length, 3);
  const failing = bench(1);
  failing.late.begin();
  failing.late.stop();
  await turn();
  failing.late.begin();
  await turn();
  assert.deepEqual(failing.calls, ['start', 'stop']);
});

test('LateListener.start() fails with its listener, for who can wait', async () => {
  await assert.rejects(bench(1).late.start(), /the port is taken/);
});
