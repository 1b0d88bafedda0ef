import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ZoneOutlook } from './zone-run-ports.ts';
import { type LastRun, nextRunInMs, runKind, wakeInMs, ZONE_TIMES } from './zone-schedule.ts';

const outlook = (change: Partial<ZoneOutlook> = {}): ZoneOutlook => ({
  ...{ isDue: false, nextDueInMs: null, fullPassAgoMs: 0 },
  ...change,
});
const last = (change: Partial<LastRun> = {}): LastRun => ({ agoMs: 0, calls: 2, failures: 0, ...change });
const next = (change: Partial<ZoneOutlook>, run: Partial<LastRun> = {}) =>
  nextRunInMs(outlook(change), last(run), ZONE_TIMES);

test('nextRunInMs() beats every 40 s while rows are due, and else waits for the next full pass', () => {
  assert.equal(next({}), 600_000);
  assert.equal(next({ nextDueInMs: 0 }), 40_000);
  assert.equal(next({ nextDueInMs: 60_000 }), 60_000);
  assert.equal(next({ nextDueInMs: 900_000 }), 600_000);
  assert.equal(next({ nextDueInMs: 0 }, { agoMs: null }), 0);
  assert.equal(next({ nextDueInMs: 0 }, { agoMs: 100_000 }), 0);
  assert.equal(next({ fullPassAgoMs: 700_000 }), 40_000);
  assert.equal(next({ fullPassAgoMs: null }, { agoMs: null }), 0);
});

test('nextRunInMs() tries a full pass that fails after ever longer times, up to its usual one', () => {
  const failing = (failures: number) => next({ fullPassAgoMs: null }, { failures });
  assert.deepEqual([0, 1, 2, 3, 4, 50].map(failing), [40_000, 80_000, 160_000, 320_000, 600_000, 600_000]);
  assert.equal(next({ nextDueInMs: 0, fullPassAgoMs: null }, { failures: 9 }), 40_000, 'rows back off by themselves');
});

test('wakeInMs() lets a zone make up for its calls: at most two in a second', () => {
  assert.equal(wakeInMs(last({ agoMs: null, calls: 100 })), 0);
  assert.equal(wakeInMs(last({ agoMs: 0, calls: 2 })), 1000);
  assert.equal(wakeInMs(last({ agoMs: 400, calls: 2 })), 600);
  assert.equal(wakeInMs(last({ agoMs: 5000, calls: 11 })), 500);
  assert.equal(wakeInMs(last({ agoMs: 5500, calls: 11 })), 0);
});

test('runKind() is a full pass when there was none for ten minutes', () => {
  assert.equal(runKind(outlook({ fullPassAgoMs: null }), ZONE_TIMES), 'full');
  assert.equal(runKind(outlook({ fullPassAgoMs: 600_000 }), ZONE_TIMES), 'full');
  assert.equal(runKind(outlook({ fullPassAgoMs: 599_999 }), ZONE_TIMES), 'due');
});
