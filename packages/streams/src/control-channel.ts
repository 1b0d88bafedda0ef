import { finished, type Duplex } from 'node:stream';
import { ControlLineDecoder, encodeControlLine, MalformedControl } from '@tunnox/protocol/control-codec';

export interface ControlChannelOptions<In> {
  /** `parseAgentMessage` or `parseRelayMessage`: null = unknown type, ignored. @throws {MalformedControl} */
  parse: (line: string) => In | null;
  /**
   * Called for each message in order, in the turn in which it arrived. May throw `MalformedControl` for one that is out
   * of place.
   */
  onMessage: (message: In) => void;
  /** Said once by the other side's fault, before `onClose`: the last chance to `send()` why. */
  onMalformed?: (error: MalformedControl) => void;
  /** Called once, when the stream is over, for whatever reason. */
  onClose: () => void;
}

/**
 * Messages over a control stream, one JSON object a line. What is sent while the other side does not read is kept up to
 * `UNSENT_BYTES_MAX`, then the channel gives up, so that a peer that never reads costs a bounded amount.
 */
export class ControlChannel<Out extends { type: string }, In> {
  readonly #stream: Duplex;
  readonly #decoder = new ControlLineDecoder();
  readonly #options: ControlChannelOptions<In>;
  #closed = false;

  /** @param stream An answered control stream: from `openControlStream()`, or after `acceptTunnel()`. */
  constructor(stream: Duplex, options: ControlChannelOptions<In>) {
    this.#stream = stream;
    this.#options = options;
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
    stream.on('end', () => this.#finish());
    stream.on('close', () => this.#finish());
    stream.on('error', () => this.#finish());
  }

  /** True when nothing more can be sent or will arrive. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Sends a message, or drops it when the channel is closed. */
  send(message: Out): void {
    if (this.#closed || this.#stream.writableEnded || this.#stream.destroyed) return;
    if (this.#stream.writableLength > UNSENT_BYTES_MAX) {
      this.destroy();
      return;
    }
    this.#stream.write(encodeControlLine(message));
  }

  /**
   * Ends the channel after what was sent.
   *
   * @param onFlushed Called once, when all of it has been handed to the socket or never will be.
   */
  close(onFlushed?: () => void): void {
    const stream = this.#stream;
    if (!stream.destroyed && !stream.writableEnded) stream.end();
    if (onFlushed === undefined) return;
    if (stream.destroyed || stream.writableFinished) onFlushed();
    else finished(stream, { readable: false }, onFlushed);
  }

  /** Ends the channel at once. */
  destroy(): void {
    this.#stream.destroy();
    this.#finish();
  }

  #receive(chunk: Buffer): void {
    if (this.#closed) return;
    try {
      for (const line of this.#decoder.push(chunk)) {
        const message = this.#options.parse(line);
        if (message !== null) this.#options.onMessage(message);
        if (this.#closed) return;
      }
    } catch (error) {
      if (!(error instanceof MalformedControl)) throw error;
      this.#stream.removeAllListeners('data');
      this.#stream.resume();
      this.#options.onMalformed?.(error);
      this.close();
      this.#finish();
    }
  }

  #finish(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.close();
    this.#options.onClose();
  }
}

const UNSENT_BYTES_MAX = 1024 * 1024;
