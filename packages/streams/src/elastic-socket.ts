import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { quiet } from './quiet.ts';
import { UNPROCESSED_BYTES_MAX } from './session-settings.ts';

export interface CarrierOptions {
  /**
   * Whether this end keeps taking bytes off the wire while its own writes wait, see `ElasticSocket`. One end of each
   * connection must: agents do, and the calling relay of a bridge. It costs about 0.4 s of CPU for each GB, so the
   * other end had better not. Default: true.
   */
  elastic?: boolean;
}

/** What a session is to run on. Sockets that are not the kernel's, such as WebSockets, are elastic by themselves. */
export function carrierOf(socket: Duplex, { elastic = true }: CarrierOptions): Duplex {
  return elastic && socket instanceof Socket ? new ElasticSocket(socket) : socket;
}

/**
 * A socket under an HTTP/2 session that goes on reading while the session does not.
 *
 * Node's HTTP/2 reads nothing while a write of the same session waits for the kernel. Two such ends that both send more
 * than the kernel's buffers hold (ten tunnels busy in both directions are enough) stand still for ever, each waiting
 * for the other to read. It is enough that one end keeps taking bytes off the wire: then the other's write ends, it
 * reads again, and so on. What is taken is bounded by the session's flow control window, which opens only for bytes
 * that the session has seen.
 */
export class ElasticSocket extends Duplex {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    super({ allowHalfOpen: false, readableHighWaterMark: UNPROCESSED_BYTES_MAX });
    this.#socket = socket;
    quiet(this);
    socket.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) socket.pause();
    });
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    const socket = this.#socket;
    const last = chunks.length - 1;
    socket.cork();
    for (let at = 0; at <= last; at++) {
      const { chunk } = chunks[at] as { chunk: Buffer };
      socket.write(chunk, at === last ? done : undefined);
    }
    socket.uncork();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(() => done());
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}
