import { LF } from './char-class.ts';
import { HEAD_BYTES_MAX } from './limits.ts';
import { headTooLarge, malformed } from './malformed.ts';

/**
 * What to do at a byte that cannot stand where it stands: as long as its line has not arrived whole there may just be
 * bytes missing. Only whole lines are judged, so it makes no difference how a head was cut into packets.
 *
 * @param first Where the head begins.
 * @returns null: wait for more
 * @throws {TunnoxError} `malformed`, `head_too_large`
 */
export function refuseOrWait(bytes: Buffer, first: number, badAt: number, detail: string): null {
  const limit = first + HEAD_BYTES_MAX;
  const lineEnd = bytes.indexOf(LF, badAt);
  if (lineEnd !== -1 && lineEnd < limit) throw malformed(detail);
  refuseTooLarge(bytes.length, limit - 1);
  return null;
}

/** @throws {TunnoxError} `head_too_large` */
export function refuseTooLarge(end: number, limit: number): void {
  if (end > limit) throw headTooLarge(`The head of a message may have ${HEAD_BYTES_MAX} bytes`);
}

/**
 * Tells whether nothing can have changed since the last look at an incomplete head: no line has been completed. Keeps
 * a head that arrives byte by byte from being read again for each of them.
 *
 * @param scannedTo Length of `bytes` at that look.
 */
export function stillIncomplete(bytes: Buffer, first: number, scannedTo: number): boolean {
  return scannedTo > first && bytes.length - first < HEAD_BYTES_MAX && bytes.indexOf(LF, scannedTo) === -1;
}
