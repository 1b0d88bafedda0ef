import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextRunAtMs, runKind, ZONE_TIMES, type ZoneOutlook } from './zone-schedule.ts';

const NOW = 1_000_000_000;
const outlook = (change: Partial<ZoneOutlook>): ZoneOutlook => ({
  ...{ nextDueAtMs: null, fullPassAtMs: NOW, ranAtMs: NOW },
  ...change,
});
const next = (change: Partial<ZoneOutlook>) => nextRunAtMs(outlook(change), NOW, ZONE_TIMES) - NOW;

test('nextRunAtMs() beats every 40 s while rows are due, and else waits for the next full pass', () => {
  assert.equal(next({}), 600_000);
  assert.equal(next({ nextDueAtMs: NOW - 1 }), 40_000);
  assert.equal(next({ nextDueAtMs: NOW + 60_000 }), 60_000);
  assert.equal(next({ nextDueAtMs: NOW + 900_000 }), 600_000);
  assert.equal(next({ nextDueAtMs: NOW - 1, ranAtMs: null }), 0);
  assert.equal(next({ nextDueAtMs: NOW - 1, ranAtMs: NOW - 100_000 }), 0);
  assert.equal(next({ fullPassAtMs: NOW - 700_000 }), 40_000);
});

test('runKind() is a full pass when there was none for ten minutes', () => {
  assert.equal(runKind(outlook({ fullPassAtMs: null }), NOW, ZONE_TIMES), 'full');
  assert.equal(runKind(outlook({ fullPassAtMs: NOW - 600_000 }), NOW, ZONE_TIMES), 'full');
  assert.equal(runKind(outlook({ fullPassAtMs: NOW - 599_999 }), NOW, ZONE_TIMES), 'due');
});
