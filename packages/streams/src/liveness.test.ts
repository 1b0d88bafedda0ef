import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Http2Session } from 'node:http2';
import { test } from 'node:test';
import { watchLiveness } from './liveness.ts';
import { TimerWheel } from './timer-wheel.ts';

/** A wheel of one spoke that is turned by hand. */
function handWheel() {
  let turn = (): void => {};
  let running = 0;
  const wheel = new TimerWheel(
    {
      setInterval: (callback) => {
        turn = callback;
        running += 1;
        return callback;
      },
      clearInterval: () => {
        turn = () => {};
        running -= 1;
      },
    },
    { roundMs: 1000, spokes: 1 },
  );
  return { wheel, turn: () => turn(), running: () => running };
}

class FakeSession extends EventEmitter {
  destroyed = false;
  readonly pings: ((error: Error | null) => void)[] = [];

  ping(callback: (error: Error | null) => void): boolean {
    this.pings.push(callback);
    return true;
  }

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

function watched(socket: { bytesRead?: number } = {}) {
  const hand = handWheel();
  const session = new FakeSession();
  watchLiveness(session as unknown as Http2Session, socket, hand.wheel);
  return { ...hand, session };
}

test('watchLiveness() lets a session live that answers its PINGs', () => {
  const { session, turn } = watched();
  for (let round = 1; round <= 10; round++) {
    turn();
    assert.equal(session.pings.length, round);
    session.pings.at(-1)?.(null);
  }
  assert.equal(session.destroyed, false);
});

test('watchLiveness() destroys a session that has missed two PINGs, and leaves the wheel', () => {
  const { session, turn, running } = watched();
  turn();
  turn();
  assert.equal(session.destroyed, false);
  turn();
  assert.equal(session.destroyed, true);
  assert.equal(running(), 0);
});

test('watchLiveness() takes any byte that arrives for an answer', () => {
  const socket = { bytesRead: 0 };
  const { session, turn } = watched(socket);
  for (let round = 0; round < 10; round++) {
    socket.bytesRead += 1;
    turn();
  }
  assert.equal(session.destroyed, false);
  for (let round = 0; round < 3; round++) turn();
  assert.equal(session.destroyed, true);
});

test('watchLiveness() ends with the session', () => {
  const { session, turn, running } = watched();
  turn();
  session.destroy();
  assert.equal(running(), 0);
});

test('TimerWheel calls each entry once a round, spread over its spokes', () => {
  const turns: (() => void)[] = [];
  const wheel = new TimerWheel(
    { setInterval: (callback) => turns.push(callback), clearInterval: () => {} },
    { roundMs: 300, spokes: 3 },
  );
  const calls: string[] = [];
  wheel.add(() => calls.push('a'));
  const turn = turns[0] as () => void;
  turn();
  const off = wheel.add(() => calls.push('b'));
  for (let tick = 0; tick < 5; tick++) turn();
  assert.deepEqual(calls, ['a', 'b', 'a']);
  off();
  off();
  assert.equal(wheel.size, 1);
  for (let tick = 0; tick < 3; tick++) turn();
  assert.deepEqual(calls, ['a', 'b', 'a', 'a']);
});

test('TimerWheel entries may take each other off while they are called', () => {
  const { wheel, turn } = handWheel();
  const calls: string[] = [];
  const offs = [
    wheel.add(() => {
      calls.push('first');
      for (const off of offs) off();
    }),
    wheel.add(() => calls.push('second')),
  ];
  turn();
  turn();
  assert.equal(calls[0], 'first');
  assert.equal(wheel.size, 0);
});
