import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { FakeClock } from '@tunnox/testing/fake-clock';
import { Race } from './race.ts';

interface Try {
  signal: AbortSignal;
  resolve: (result: string) => void;
  reject: (error: Error) => void;
}

function setUp(count: number) {
  const clock = new FakeClock();
  const begun: Try[] = [];
  const discarded: string[] = [];
  const tries = Array.from({ length: count }, () => (signal: AbortSignal) => {
    return new Promise<string>((resolve, reject) => begun.push({ signal, resolve, reject }));
  });
  const race = new Race(clock, tries, { staggerMs: 1000, discard: (result) => discarded.push(result) });
  return { clock, race, begun, discarded };
}

test('Race.next() gives the first try that succeeds; cancel() ends the others', async () => {
  const { clock, race, begun, discarded } = setUp(3);
  const next = race.next();
  clock.advance(1000);
  assert.equal(begun.length, 2);
  begun[1]?.resolve('second');
  assert.equal(await next, 'second');
  race.cancel();
  assert.ok(begun[0]?.signal.aborted);
  begun[0]?.resolve('first');
  await turn();
  assert.deepEqual(discarded, ['first']);
  assert.equal(clock.pending, 0);
});

test('Race.next() follows a failure at once and a silence after the head start', async () => {
  const { clock, race, begun } = setUp(3);
  void race.next();
  assert.equal(begun.length, 1);
  begun[0]?.reject(new Error('refused'));
  await turn();
  assert.equal(begun.length, 2);
  clock.advance(999);
  assert.equal(begun.length, 2);
  clock.advance(1);
  assert.equal(begun.length, 3);
});

test('Race.next() begins no try while a result is in hand, and goes on when asked again', async () => {
  const { clock, race, begun } = setUp(3);
  const first = race.next();
  begun[0]?.resolve('first');
  assert.equal(await first, 'first');
  clock.advance(5000);
  assert.equal(begun.length, 1);
  void race.next();
  assert.equal(begun.length, 2);
});

test('Race.next() keeps a result that comes while another is in hand', async () => {
  const { clock, race, begun } = setUp(2);
  const first = race.next();
  clock.advance(1000);
  begun[0]?.resolve('first');
  assert.equal(await first, 'first');
  begun[1]?.resolve('second');
  await turn();
  assert.equal(await race.next(), 'second');
});

test('Race.next() is null when every try has failed, with their errors', async () => {
  const { race, begun } = setUp(2);
  const next = race.next();
  begun[0]?.reject(new Error('a'));
  await turn();
  begun[1]?.reject(new Error('b'));
  assert.equal(await next, null);
  assert.deepEqual(
    race.errors.map((error) => (error as Error).message),
    ['a', 'b'],
  );
  assert.equal(await race.next(), null);
});

test('Race.next() is null without tries and after cancel()', async () => {
  assert.equal(await setUp(0).race.next(), null);
  const { race } = setUp(1);
  const waiting = race.next();
  race.cancel();
  assert.equal(await waiting, null);
  assert.equal(await race.next(), null);
});
