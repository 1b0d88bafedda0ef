import { CR, LF } from './char-class.ts';
import { HEAD_BYTES_MAX } from './limits.ts';
import { headTooLarge, malformed } from './malformed.ts';

const BLANK_LINE = Buffer.from('\r\n\r\n');

/**
 * Finds the end of the head that begins at `start`. Remembering how far it looked makes a head that arrives byte by
 * byte cost its length, not its square.
 *
 * @param scannedTo Length of `bytes` at the last call for this head, or `start`.
 * @returns Index after the blank line, or -1 while it has not arrived.
 * @throws {TunnoxError} `malformed` for a line that ends in a bare LF, `head_too_large`
 */
export function findHeadEnd(bytes: Buffer, start: number, scannedTo: number): number {
  const found = bytes.indexOf(BLANK_LINE, Math.max(start, scannedTo - 3));
  if (found !== -1 && found + 4 - start <= HEAD_BYTES_MAX) return found + 4;
  const limit = Math.min(bytes.length, start + HEAD_BYTES_MAX);
  refuseBareLf(bytes, start, scannedTo, limit);
  if (bytes.length - start >= HEAD_BYTES_MAX) {
    throw headTooLarge(`The head of a message may have ${HEAD_BYTES_MAX} bytes`);
  }
  return -1;
}

/** Without this a head with bare LFs would only be refused when its time is up. */
function refuseBareLf(bytes: Buffer, start: number, from: number, limit: number): void {
  for (let at = bytes.indexOf(LF, from); at !== -1 && at < limit; at = bytes.indexOf(LF, at + 1)) {
    if (at === start || bytes[at - 1] !== CR) throw malformed('A line ends in LF without CR');
  }
}
