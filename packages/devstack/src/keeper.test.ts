import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';
import { Keeper, type Running } from './keeper.ts';

class FakePart {
  static next = 100;
  readonly pid = FakePart.next++;
  stopped = false;
  end: () => void = () => {};
  readonly exited = new Promise<void>((resolve) => {
    this.end = resolve;
  });

  readonly running: Running = {
    pid: this.pid,
    exited: this.exited,
    stop: async () => {
      this.stopped = true;
      this.end();
    },
  };
}

let parts: FakePart[];
let lines: string[];
let started: number[];
let failing: boolean;
const settle = async () => {
  for (let i = 0; i < 10; i++) await Promise.resolve();
};
const make = (restartDelayMs: number | null) =>
  new Keeper({
    name: 'Relay 1',
    start: async () => {
      if (failing) throw new Error('no');
      const part = new FakePart();
      parts.push(part);
      return part.running;
    },
    onStarted: async (pid) => void started.push(pid),
    restartDelayMs,
    print: (line) => lines.push(line),
  });

beforeEach(() => {
  [parts, lines, started, failing] = [[], [], [], false];
  mock.timers.reset();
  mock.timers.enable({ apis: ['setTimeout'] });
});

test('Keeper starts a part again some time after it has ended', async () => {
  const keeper = make(5000);
  await keeper.start();
  parts[0]?.end();
  await settle();
  mock.timers.tick(4999);
  await settle();
  assert.equal(parts.length, 1);
  mock.timers.tick(1);
  await settle();
  assert.deepEqual(
    started,
    parts.map(({ pid }) => pid),
  );
  assert.equal(parts.length, 2);
  assert.deepEqual(lines, ['Relay 1 has ended: it is started again in 5 s', 'Relay 1 is back']);
  await keeper.stop();
  assert.equal(parts[1]?.stopped, true);
});

test('Keeper goes on trying when a part does not come back', async () => {
  const keeper = make(1000);
  await keeper.start();
  failing = true;
  parts[0]?.end();
  await settle();
  for (let tries = 0; tries < 3; tries++) {
    mock.timers.tick(1000);
    await settle();
  }
  assert.deepEqual(lines.slice(1), ['no', 'no', 'no']);
  failing = false;
  mock.timers.tick(1000);
  await settle();
  assert.equal(parts.length, 2);
  await keeper.stop();
});

test('Keeper leaves a part away when restarts are off', async () => {
  const keeper = make(null);
  await keeper.start();
  parts[0]?.end();
  await settle();
  mock.timers.tick(60_000);
  assert.equal(parts.length, 1);
  assert.deepEqual(lines, ['Relay 1 has ended']);
});

test('Keeper.stop() ends a restart that was due', async () => {
  const keeper = make(1000);
  await keeper.start();
  parts[0]?.end();
  await settle();
  await keeper.stop();
  mock.timers.tick(10_000);
  await settle();
  assert.equal(parts.length, 1);
});

test('Keeper.stop() in the middle of a start stops what was started', async () => {
  const keeper = make(1000);
  const starting = keeper.start();
  await keeper.stop();
  await starting;
  assert.equal(parts[0]?.stopped, true);
  assert.deepEqual(started, []);
});
