import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@tunnox/testing/fake-clock';
import { Outage } from './outage.ts';

const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
const silent = new Error('no answer');

test('Outage.delayMsMax is ten seconds for two minutes when nothing listens anywhere', () => {
  const clock = new FakeClock();
  const outage = new Outage(clock);
  assert.equal(outage.delayMsMax, 30_000);
  outage.controlPlaneFailed(refused);
  outage.relaysFailed([refused, refused]);
  assert.equal(outage.delayMsMax, 10_000);
  // The control plane is up again, its relays are not yet.
  outage.controlPlaneFailed(silent);
  outage.relaysFailed([]);
  assert.equal(outage.delayMsMax, 10_000);
  clock.advance(119_999);
  assert.equal(outage.delayMsMax, 10_000);
  clock.advance(1);
  assert.equal(outage.delayMsMax, 30_000);
});

test('Outage.delayMsMax is thirty seconds when anything but a missing program is in the way', () => {
  const outage = new Outage(new FakeClock());
  outage.controlPlaneFailed(refused);
  outage.relaysFailed([refused, silent]);
  assert.equal(outage.delayMsMax, 30_000);
  outage.begin();
  outage.controlPlaneFailed(silent);
  outage.relaysFailed([refused]);
  assert.equal(outage.delayMsMax, 30_000);
});

test('Outage.begin() forgets the outage before', () => {
  const clock = new FakeClock();
  const outage = new Outage(clock);
  outage.controlPlaneFailed(refused);
  clock.advance(500_000);
  outage.begin();
  assert.equal(outage.delayMsMax, 30_000);
  outage.controlPlaneFailed(refused);
  assert.equal(outage.delayMsMax, 10_000);
});
