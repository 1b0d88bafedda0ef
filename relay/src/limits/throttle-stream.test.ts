import assert from 'node:assert/strict';
import { Duplex, PassThrough, Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { once } from 'node:events';
import { test } from 'node:test';
import { FakeClock } from '@tunnox/testing/fake-clock';
import { BandwidthBucket } from './bandwidth-bucket.ts';
import { throttleStream } from './throttle-stream.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Lets `ms` pass a millisecond at a time, with turns for the streams in between. */
async function pass(clock: FakeClock, ms: number): Promise<void> {
  for (let n = 0; n < ms; n++) {
    clock.advance(1);
    await turn();
  }
}

function source(chunkBytes: number): Duplex {
  return new Duplex({
    read() {
      setImmediate(() => this.push(Buffer.alloc(chunkBytes)));
    },
    write(_chunk, _encoding, done) {
      done();
    },
  });
}

test('throttleStream() slows a flowing reader to the rate and lets it go again', async () => {
  const clock = new FakeClock();
  const bucket = new BandwidthBucket(clock, 1_000_000);
  const stream = source(10_000);
  let read = 0;
  const undo = throttleStream(stream, bucket);
  stream.on('data', (chunk: Buffer) => (read += chunk.length));
  await pass(clock, 2000);
  assert.ok(read > 1_900_000 && read < 2_250_000, String(read));
  undo();
  const slow = read;
  await pass(clock, 30);
  assert.ok(read > slow + 200_000, String(read - slow));
  stream.destroy();
});

test('throttleStream() can be put into a live stream, and keeps the pause of its reader', async () => {
  const clock = new FakeClock();
  const stream = source(1000);
  let read = 0;
  stream.on('data', (chunk: Buffer) => (read += chunk.length));
  await turn();
  const undo = throttleStream(stream, new BandwidthBucket(clock, 100_000));
  await pass(clock, 1000);
  const before = read;
  await pass(clock, 3000);
  assert.ok(read - before > 280_000 && read - before < 320_000, String(read - before));
  stream.pause();
  await pass(clock, 500);
  const paused = read;
  await pass(clock, 2000);
  assert.equal(read, paused);
  stream.resume();
  await pass(clock, 500);
  assert.ok(read > paused);
  undo();
  stream.destroy();
});

test('throttleStream() holds a writer back by false and drain', async () => {
  const clock = new FakeClock();
  const stream = source(1);
  const undo = throttleStream(stream, new BandwidthBucket(clock, 1_000_000));
  let written = 0;
  const write = (): void => {
    do written += 10_000;
    while (stream.write(Buffer.alloc(10_000)));
  };
  stream.on('drain', write);
  write();
  await pass(clock, 2000);
  assert.ok(written > 1_900_000 && written < 2_250_000, String(written));
  stream.off('drain', write);
  undo();
  stream.destroy();
});

test('throttleStream() loses and reorders nothing through pipeline and half-close', async () => {
  const clock = new FakeClock();
  const through = new PassThrough();
  throttleStream(through, new BandwidthBucket(clock, 4_000_000));
  const sent = Array.from({ length: 200 }, (_, n) => Buffer.alloc(5000, n));
  const received: Buffer[] = [];
  const sink = new PassThrough();
  sink.on('data', (chunk: Buffer) => received.push(chunk));
  const done = pipeline(Readable.from(sent), through, sink);
  let finishedYet = false;
  void finished(sink).then(() => (finishedYet = true));
  while (!finishedYet) await pass(clock, 20);
  await done;
  assert.ok(Buffer.concat(received).equals(Buffer.concat(sent)));
});

test('throttleStream() undone while both directions wait goes on at once', async () => {
  const clock = new FakeClock();
  const stream = new PassThrough();
  const undo = throttleStream(stream, new BandwidthBucket(clock, 10));
  stream.on('data', () => undefined);
  stream.write(Buffer.alloc(1000));
  assert.equal(stream.write(Buffer.alloc(1000)), false);
  await turn();
  const drained = once(stream, 'drain');
  undo();
  await drained;
  assert.equal(clock.pending, 0);
});
