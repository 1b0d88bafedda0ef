import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { quiet } from './quiet.ts';

/**
 * Ends a stream so that the other side sees a failure and not the end of the data: RST_STREAM on an HTTP/2 stream, RST
 * on a TCP socket, a connection without close_notify on TLS.
 */
export function resetStream(stream: Duplex): void {
  if (stream.destroyed) return;
  // While the end of the data waits behind bytes that the other side does not take, the kernel refuses a reset, and Node
  // then loses the socket: it stays open and never emits `close`.
  const ending = stream.writableEnded && !stream.writableFinished;
  if (stream instanceof Socket && !(stream instanceof TLSSocket) && !ending) {
    stream.resetAndDestroy();
    return;
  }
  // Only destroy() with an error makes Node send RST_STREAM with a code other than NO_ERROR and without an END_STREAM
  // before it: close(code) sends END_STREAM first, which the other side could take for the end of the data.
  quiet(stream);
  stream.destroy(new Error('The tunnel was reset'));
}
