import { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { quiet } from './quiet.ts';
import { UNPROCESSED_BYTES_MAX } from './session-settings.ts';

/**
 * The bytes of a WebSocket's binary messages as a Duplex for an HTTP/2 session; the borders of messages mean nothing.
 * Does not stay half-open: the close of one side is the close of both.
 *
 * Made in the turn in which the WebSocket opened, before it can have emitted a message.
 */
export class WebSocketDuplex extends Duplex {
  /** Bytes of messages that arrived, for the liveness watch. */
  bytesRead = 0;
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    // As elastic as `ElasticSocket`, and for the same reason.
    super({ allowHalfOpen: false, readableHighWaterMark: UNPROCESSED_BYTES_MAX, writableHighWaterMark: WRITE_BYTES });
    this.#socket = socket;
    quiet(this);
    socket.binaryType = 'nodebuffer';
    socket.on('message', (data: RawData, isBinary: boolean) => {
      if (!isBinary) {
        this.destroy(new Error('A text message came where bytes were due'));
        return;
      }
      const chunk = data as Buffer;
      this.bytesRead += chunk.length;
      if (!this.push(chunk)) socket.pause();
    });
    socket.on('close', () => {
      // Reading ends the session in order; a paused socket has nothing more to give.
      if (!this.destroyed) {
        this.push(null);
        this.end();
        this.destroy();
      }
    });
    socket.on('error', (error) => this.destroy(error));
  }

  override _read(): void {
    if (this.#socket.isPaused) this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#send(chunk, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    // HTTP/2 writes the head and the body of each frame by itself: one message for each would be most of the work.
    let batch: Buffer[] = [];
    let batchBytes = 0;
    for (const { chunk } of chunks) {
      if (batchBytes + chunk.length > MESSAGE_BYTES && batch.length > 0) {
        this.#send(Buffer.concat(batch, batchBytes));
        batch = [];
        batchBytes = 0;
      }
      batch.push(chunk);
      batchBytes += chunk.length;
    }
    this.#send(Buffer.concat(batch, batchBytes), done);
  }

  /** Messages stay short, so that the other side need not keep much of one: it may not know yet who we are. */
  #send(bytes: Buffer, done?: (error?: Error | null) => void): void {
    let at = 0;
    for (; bytes.length - at > MESSAGE_BYTES; at += MESSAGE_BYTES) {
      this.#socket.send(bytes.subarray(at, at + MESSAGE_BYTES), BINARY);
    }
    this.#socket.send(at === 0 ? bytes : bytes.subarray(at), BINARY, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.close(1000);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.terminate();
    done(error);
  }
}

const BINARY = { binary: true } as const;
const WRITE_BYTES = 256 * 1024;
/** Message size at which the cost of a message no longer shows. */
const MESSAGE_BYTES = 64 * 1024;
