import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { FakeClock } from '@tunnox/testing/fake-clock';
import { eventually } from '../../tests/support/eventually.ts';
import { ConnectionGate } from './connection-gate.ts';

const connection = (): Duplex => new Duplex({ read: () => {} });

function gateOf(waitingMax: number, waitingPerAddressMax: number) {
  const clock = new FakeClock();
  return { clock, gate: new ConnectionGate(clock, { waitingMax, waitingPerAddressMax }) };
}

test('ConnectionGate ends connections whose time is up, and keeps no timer when nobody waits', () => {
  const { clock, gate } = gateOf(10, 10);
  const [silent, slow, good] = [connection(), connection(), connection()];
  gate.enter(silent, 'a', 5000);
  const waiting = gate.enter(slow, 'a', 5000);
  const released = gate.enter(good, 'a', 5000);
  clock.advance(4000);
  waiting.within(5000);
  released.release();
  clock.advance(2000);
  assert.deepEqual([silent.destroyed, slow.destroyed, good.destroyed], [true, false, false]);
  clock.advance(4000);
  assert.equal(slow.destroyed, true);
  assert.equal(good.destroyed, false);
  clock.advance(2000);
  assert.equal(clock.pending, 0);
  assert.deepEqual(gate.snapshot(), { waiting: 0, timedOut: 2, pushedOut: 0 });
});

test('ConnectionGate pushes the oldest connection out when one address or all have too many', () => {
  const { gate } = gateOf(4, 2);
  const [a1, a2, a3, b1, b2, c1] = [connection(), connection(), connection(), connection(), connection(), connection()];
  gate.enter(a1, 'a', 5000);
  gate.enter(a2, 'a', 5000);
  gate.enter(b1, 'b', 5000);
  gate.enter(a3, 'a', 5000);
  assert.deepEqual(
    [a1, a2, a3, b1].map((each) => each.destroyed),
    [true, false, false, false],
  );
  gate.enter(b2, 'b', 5000);
  gate.enter(c1, 'c', 5000);
  assert.deepEqual(
    [a2, a3, b1, b2, c1].map((each) => each.destroyed),
    [true, false, false, false, false],
  );
  assert.deepEqual(gate.snapshot(), { waiting: 4, timedOut: 0, pushedOut: 2 });
});

test('ConnectionGate forgets connections that close by themselves, and ends the rest on close()', async () => {
  const { gate } = gateOf(10, 10);
  const [gone, left] = [connection(), connection()];
  gate.enter(gone, 'a', 5000);
  gate.enter(left, 'b', 5000);
  gone.destroy();
  await eventually(() => gate.snapshot().waiting === 1);
  gate.close();
  assert.equal(left.destroyed, true);
  assert.equal(gate.snapshot().waiting, 0);
});
