import type { Duplex } from 'node:stream';

/** Up to here bytes are copied into one write; above, two buffers are cheaper. */
const COPY_BYTES_MAX = 16 * 1024;

/**
 * Writes the Latin-1 string `head` and `bytes[from, to)` together.
 *
 * @returns As `stream.write`.
 */
export function writeWithHead(stream: Duplex, head: string, bytes: Buffer, from: number, to: number): boolean {
  const length = to - from;
  if (length === 0) return stream.write(head, 'latin1');
  if (head === '') return stream.write(bytes.subarray(from, to));
  if (length > COPY_BYTES_MAX) return writeBoth(stream, Buffer.from(head, 'latin1'), bytes.subarray(from, to));
  const joined = Buffer.allocUnsafe(head.length + length);
  joined.write(head, 'latin1');
  bytes.copy(joined, head.length, from, to);
  return stream.write(joined);
}

/**
 * Writes `bytes[from, to)` without the ranges in `drops` (begin, end, begin, end, …).
 *
 * @returns As `stream.write`.
 */
export function writeWithout(
  stream: Duplex,
  bytes: Buffer,
  from: number,
  drops: readonly number[],
  to: number,
): boolean {
  const last = drops.at(-1) ?? from;
  if (last === from) return stream.write(bytes.subarray(from, to));
  const copyTo = to - last > COPY_BYTES_MAX ? last : to;
  const joined = Buffer.allocUnsafe(copyTo - from);
  let length = 0;
  for (let i = 0; i < drops.length; i += 2) {
    length += bytes.copy(joined, length, from, drops[i]);
    from = drops[i + 1] as number;
  }
  length += bytes.copy(joined, length, from, copyTo);
  const front = joined.subarray(0, length);
  return copyTo === to ? stream.write(front) : writeBoth(stream, front, bytes.subarray(last, to));
}

function writeBoth(stream: Duplex, first: Buffer, second: Buffer): boolean {
  stream.cork();
  stream.write(first);
  const more = stream.write(second);
  stream.uncork();
  return more;
}
