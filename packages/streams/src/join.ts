import { constants, type Http2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { quiet } from './quiet.ts';
import { resetStream } from './reset-stream.ts';

/** Bytes of a join, added to as they pass. */
export interface JoinMeter {
  /** From the first stream to the second. */
  bytesIn: number;
  /** From the second stream to the first. */
  bytesOut: number;
}

/**
 * Joins two streams byte for byte until both are closed: the end of one side's data ends the other's writing
 * (half-close), a reset or a loss on one side resets the other, and a side that does not take its bytes stops the
 * reading of the other. Both must allow half-open connections (`allowHalfOpen: true` for sockets).
 *
 * @param first The visitor's side.
 * @param onClosed Called once when both streams are closed.
 */
export function join(
  first: Duplex,
  second: Duplex,
  meter: JoinMeter = { bytesIn: 0, bytesOut: 0 },
  onClosed?: () => void,
): void {
  let open = 2;
  const onClose = () => {
    open -= 1;
    if (open === 0) onClosed?.();
  };
  pump(first, second, meter, 'bytesIn', onClose);
  pump(second, first, meter, 'bytesOut', onClose);
}

/** Larger chunks would hold a session's turn for too long, and go past the limit of its memory at once. */
const WRITE_BYTES_MAX = 64 * 1024;

function pump(from: Duplex, to: Duplex, meter: JoinMeter, counter: keyof JoinMeter, onClose: () => void): void {
  quiet(from);
  let ended = false;
  let closed = false;
  const end = () => {
    ended = true;
    // Node also ends the reading of an HTTP/2 stream that was reset with code NO_ERROR.
    if (wasCut(from)) resetStream(to);
    else to.end();
  };
  const close = () => {
    if (closed) return;
    closed = true;
    // Also when it was lost after the end of its data, but before it took all of ours.
    if (!ended || !from.writableFinished || wasCut(from)) resetStream(to);
    onClose();
  };
  from.on('data', (chunk: Buffer) => {
    meter[counter] += chunk.length;
    if (!write(to, chunk)) from.pause();
  });
  to.on('drain', () => from.resume());
  from.on('end', end);
  from.on('close', close);
  // Either may have happened before the join.
  if (from.readableEnded) end();
  if (from.destroyed) close();
}

function write(to: Duplex, chunk: Buffer): boolean {
  if (chunk.length <= WRITE_BYTES_MAX) return to.write(chunk);
  let more = true;
  for (let at = 0; at < chunk.length; at += WRITE_BYTES_MAX) more = to.write(chunk.subarray(at, at + WRITE_BYTES_MAX));
  return more;
}

/** Whether an HTTP/2 stream was ended by RST_STREAM, from whichever side, or by the loss of its session. */
function wasCut(stream: Duplex & Partial<Pick<Http2Stream, 'aborted' | 'rstCode'>>): boolean {
  return stream.aborted === true || (stream.rstCode ?? NO_ERROR) !== NO_ERROR;
}

const NO_ERROR = constants.NGHTTP2_NO_ERROR;
