import type { Duplex } from 'node:stream';
import type { BandwidthBucket } from './bandwidth-bucket.ts';

/**
 * Puts a bucket into a stream that others already read and write, both directions, without another stream in
 * between: a stream without a limit keeps its speed, and a limit can come and go while bytes flow. Readers see pauses,
 * writers see `false` and `drain`, as with any slow stream.
 *
 * Done by own properties that shadow the stream's methods: `emit` sees every chunk that is read, `write` every chunk
 * that is written.
 *
 * @returns takes the bucket out again
 */
export function throttleStream(stream: Duplex, bucket: BandwidthBucket): () => void {
  const emit = stream.emit.bind(stream);
  const write = stream.write.bind(stream);
  const pause = stream.pause.bind(stream);
  const resume = stream.resume.bind(stream);
  let readHeld = false;
  let flowing = false;
  let writeHeld = false;

  const reading = bucket.flow(() => {
    readHeld = false;
    if (flowing && !stream.destroyed) resume();
  });
  const writing = bucket.flow(() => {
    writeHeld = false;
    if (!stream.destroyed && !stream.writableNeedDrain && stream.writable) emit('drain');
  });

  stream.emit = (event: string | symbol, ...values: unknown[]): boolean => {
    if (event === 'drain' && writeHeld) return true;
    const heard: boolean = emit(event, ...values);
    if (event === 'data' && !reading.take(sizeOf(values[0])) && !readHeld) {
      readHeld = true;
      flowing = stream.readableFlowing === true;
      if (flowing) pause();
    }
    return heard;
  };
  stream.pause = () => {
    if (!readHeld) return pause();
    flowing = false;
    return stream;
  };
  stream.resume = () => {
    if (!readHeld) return resume();
    flowing = true;
    return stream;
  };
  stream.write = (chunk: unknown, ...rest: unknown[]): boolean => {
    const more: boolean = Reflect.apply(write, undefined, [chunk, ...rest]);
    if (!writing.take(sizeOf(chunk))) writeHeld = true;
    return more && !writeHeld;
  };

  return () => {
    for (const name of ['emit', 'write', 'pause', 'resume']) Reflect.deleteProperty(stream, name);
    reading.leave();
    writing.leave();
    if (readHeld) reading.resume();
    if (writeHeld) writing.resume();
  };
}

function sizeOf(chunk: unknown): number {
  if (typeof chunk === 'string') return Buffer.byteLength(chunk);
  return chunk instanceof Uint8Array ? chunk.byteLength : 0;
}
