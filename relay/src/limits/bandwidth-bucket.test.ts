import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@tunnox/testing/fake-clock';
import fc from 'fast-check';
import { BandwidthBucket } from './bandwidth-bucket.ts';

/** Sends chunks as long as it may, each `everyMs` at the earliest, and counts what it sent. */
function sender(clock: FakeClock, bucket: BandwidthBucket, chunkBytes: number, everyMs: number): { sent: number } {
  const state = { sent: 0 };
  const send = (): void => {
    state.sent += chunkBytes;
    if (flow.take(chunkBytes)) clock.timer(everyMs, send);
  };
  const flow = bucket.flow(() => clock.timer(0, send));
  clock.timer(0, send);
  return state;
}

test('BandwidthBucket keeps the rate over seconds for any mixture of flows', () => {
  const chunks = fc.array(fc.integer({ min: 1000, max: 65_536 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(chunks, fc.integer({ min: 100_000, max: 50_000_000 }), (sizes, rate) => {
      const clock = new FakeClock();
      const bucket = new BandwidthBucket(clock, rate);
      const senders = sizes.map((size) => sender(clock, bucket, size, 1));
      clock.advance(5000);
      const total = senders.reduce((sum, { sent }) => sum + sent, 0);
      const chunkSum = sizes.reduce((sum, size) => sum + size, 0);
      const asked = sizes.reduce((sum, size) => sum + size * 5000, 0);
      assert.ok(total <= rate * 5.1 + chunkSum + sizes.length * 65_536, `${total} is too much for ${rate} B/s`);
      assert.ok(total >= Math.min(rate, asked / 5) * 5 * 0.95 - 131_072, `${total} is too little for ${rate} B/s`);
    }),
    { numRuns: 60 },
  );
});

test('BandwidthBucket shares fairly between flows of small and large chunks', () => {
  const clock = new FakeClock();
  const bucket = new BandwidthBucket(clock, 2_000_000);
  const senders = [1460, 16_384, 65_536, 65_536].map((size) => sender(clock, bucket, size, 0));
  clock.advance(20_000);
  const mean = senders.reduce((sum, { sent }) => sum + sent, 0) / senders.length;
  for (const { sent } of senders) assert.ok(Math.abs(sent - mean) < mean * 0.1, `${sent} against ${mean}`);
});

test('BandwidthBucket lets a quiet flow through at once beside busy ones', () => {
  const clock = new FakeClock();
  const bucket = new BandwidthBucket(clock, 1_000_000);
  for (let n = 0; n < 10; n++) sender(clock, bucket, 65_536, 0);
  clock.advance(3000);
  const quiet = bucket.flow(() => assert.fail('was made to wait'));
  for (let n = 0; n < 100; n++) assert.equal(quiet.take(100), true);
});

test('BandwidthBucket.setRate() takes effect on flows that wait', () => {
  const clock = new FakeClock();
  const bucket = new BandwidthBucket(clock, 1000);
  const one = sender(clock, bucket, 10_000, 1);
  clock.advance(1000);
  const slow = one.sent;
  bucket.setRate(1_000_000);
  clock.advance(1000);
  assert.ok(one.sent - slow > 900_000 && one.sent - slow < 1_200_000, String(one.sent));
  bucket.setRate(null);
  const before = one.sent;
  clock.advance(1000);
  assert.ok(one.sent - before >= 10_000_000, String(one.sent - before));
  bucket.setRate(0);
  clock.advance(1);
  const stopped = one.sent;
  clock.advance(60_000);
  assert.equal(one.sent, stopped);
  bucket.setRate(1_000_000);
  clock.advance(1000);
  assert.ok(one.sent > stopped);
});

test('BandwidthBucket leaves no timer behind when the last flow leaves', () => {
  const clock = new FakeClock();
  const bucket = new BandwidthBucket(clock, 1000);
  const flow = bucket.flow(() => assert.fail('released after it left'));
  flow.take(100_000);
  assert.equal(flow.take(100_000), false);
  assert.equal(clock.pending, 1);
  flow.leave();
  assert.equal(clock.pending, 0);
});
