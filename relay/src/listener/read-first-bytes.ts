import type { Socket } from 'node:net';

/**
 * Reads from the front of a fresh connection until `judge` knows what it is, and puts back what belongs to whoever
 * takes it over. The time for it is the caller's: a connection that says nothing costs nothing here but its socket.
 *
 * @param judge Sees all bytes so far, never more than `bytesMax` before it has to decide. `null`: not enough yet;
 *   otherwise the verdict and how many bytes of the front are used up by it.
 * @param done Called once with the verdict; never when the connection ends first.
 */
export function readFirstBytes<T>(
  socket: Socket,
  judge: (bytes: Buffer) => { verdict: T; used: number } | null,
  done: (verdict: T) => void,
): void {
  let bytes: Buffer = EMPTY;
  const onReadable = (): void => {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) return;
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    const judged = judge(bytes);
    if (judged === null) return;
    socket.off('readable', onReadable);
    if (judged.used < bytes.length) socket.unshift(bytes.subarray(judged.used));
    done(judged.verdict);
  };
  socket.on('readable', onReadable);
}

const EMPTY = Buffer.alloc(0);
