import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@tunnox/testing/fake-clock';
import type { LoggedTunnel } from '../upstream/tunnel-log.ts';
import { ConnectionLog } from './connection-log.ts';

function tunnel(id: number): LoggedTunnel {
  return { tunnelId: String(id) } as LoggedTunnel;
}

const idsOf = (tunnels: LoggedTunnel[] | undefined) => tunnels?.map(({ tunnelId }) => Number(tunnelId));

test('ConnectionLog gives the oldest, and keeps them until they are confirmed', () => {
  const log = new ConnectionLog(new FakeClock(), 10);
  assert.equal(log.oldest(3), null);
  for (let id = 1; id <= 4; id += 1) log.ended(tunnel(id));
  const batch = log.oldest(3) ?? assert.fail();
  assert.deepEqual(idsOf(batch.tunnels), [1, 2, 3]);
  assert.deepEqual(idsOf(log.oldest(3)?.tunnels), [1, 2, 3]);
  log.confirm(batch);
  log.confirm(batch);
  assert.deepEqual(idsOf(log.oldest(3)?.tunnels), [4]);
  assert.deepEqual(log.snapshot(), { waiting: 1, dropped: 0 });
});

test('ConnectionLog is bounded: the oldest give way and are counted', () => {
  const log = new ConnectionLog(new FakeClock(), 4);
  for (let id = 1; id <= 10; id += 1) log.ended(tunnel(id));
  assert.deepEqual(idsOf(log.oldest(100)?.tunnels), [7, 8, 9, 10]);
  assert.deepEqual(log.snapshot(), { waiting: 4, dropped: 6 });
});

test('ConnectionLog.confirm() takes nothing away that came while the batch was under way', () => {
  const log = new ConnectionLog(new FakeClock(), 4);
  for (let id = 1; id <= 4; id += 1) log.ended(tunnel(id));
  const batch = log.oldest(2) ?? assert.fail();
  for (let id = 5; id <= 7; id += 1) log.ended(tunnel(id));
  log.confirm(batch);
  assert.deepEqual(idsOf(log.oldest(100)?.tunnels), [4, 5, 6, 7]);
  log.giveUp(batch);
  assert.deepEqual(log.snapshot(), { waiting: 4, dropped: 3 });
  const rest = log.oldest(3) ?? assert.fail();
  log.giveUp(rest);
  assert.deepEqual(log.snapshot(), { waiting: 1, dropped: 6 });
});

test('ConnectionLog says once that it is half full', () => {
  const log = new ConnectionLog(new FakeClock(), 4);
  let said = 0;
  log.onHalfFull = () => (said += 1);
  for (let id = 1; id <= 4; id += 1) log.ended(tunnel(id));
  assert.equal(said, 1);
  log.confirm(log.oldest(4) ?? assert.fail());
  for (let id = 5; id <= 6; id += 1) log.ended(tunnel(id));
  assert.equal(said, 2);
});
