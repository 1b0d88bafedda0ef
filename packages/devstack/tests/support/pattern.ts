import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';

const BLOCK = Buffer.alloc(64 * 1024, 'tunnox carries every byte as it came; ');

/** `length` bytes of a fixed pattern, block by block. */
export function patternOf(length: number): Readable {
  return Readable.from(blocks(length), { objectMode: false });
}

/** SHA-256 of `patternOf(length)` in hex. */
export function hashOfPattern(length: number): string {
  const hash = createHash('sha256');
  for (const block of blocks(length)) hash.update(block);
  return hash.digest('hex');
}

function* blocks(length: number): Generator<Buffer> {
  for (let left = length; left > 0; left -= BLOCK.length) yield left < BLOCK.length ? BLOCK.subarray(0, left) : BLOCK;
}
