import type { Duplex } from 'node:stream';
import { resetStream } from '@tunnox/streams/reset-stream';
import type { Meter, Tunnel } from '../upstream/upstream.ts';

/** Who uses a tunnel now. */
export interface TargetListener {
  onTargetData(chunk: Buffer): void;
  /** What was written has been sent: more may be written. */
  onTargetDrain(): void;
  /** The target has sent everything. */
  onTargetEnd(): void;
  /** The tunnel is gone; called once, not after `close()` or `reset()`. */
  onTargetGone(): void;
}

/**
 * A tunnel to an HTTP target that serves one request after the other. Its stream's listeners are put on once and speak
 * to whoever uses the tunnel, so a request that reuses one adds none.
 */
export class TargetConnection {
  listener: TargetListener | null = null;
  /** True once it has served a request. */
  reused = false;
  /** Time since which it lies in the pool. */
  idleSinceMs = 0;
  readonly stream: Duplex;
  readonly #meter: Meter;
  readonly #onIdleEnd: (target: TargetConnection) => void;
  #gone = false;
  #ended = false;
  #paused = false;

  /** @param onIdleEnd Called when the tunnel ends, or says something, while nobody uses it. */
  constructor(tunnel: Tunnel, onIdleEnd: (target: TargetConnection) => void) {
    this.stream = tunnel.stream;
    this.#meter = tunnel.meter;
    this.#onIdleEnd = onIdleEnd;
    this.stream.on('data', this.#onData);
    this.stream.on('drain', this.#onDrain);
    this.stream.on('end', this.#onEnd);
    this.stream.on('error', this.#onClose);
    this.stream.on('close', this.#onClose);
  }

  /** False once it cannot carry another request. */
  get usable(): boolean {
    return !this.#gone && !this.#ended;
  }

  /** @returns false: wait for `onTargetDrain` */
  write(data: Buffer | string): boolean {
    this.#meter.bytesIn += data.length;
    return typeof data === 'string' ? this.stream.write(data, 'latin1') : this.stream.write(data);
  }

  pause(): void {
    this.#paused = true;
    this.stream.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.stream.resume();
  }

  /** Ends a tunnel that has done its work. */
  close(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.listener = null;
    endInOrder(this.stream);
  }

  /** As `close()`; resolves when that is done. */
  closeAndWait(): Promise<void> {
    return new Promise((resolve) => {
      if (this.stream.closed) return resolve();
      this.stream.once('close', resolve);
      this.close();
    });
  }

  /** Ends a tunnel in the middle of its work: the target sees a reset, not an end. */
  reset(): void {
    this.#gone = true;
    this.listener = null;
    resetStream(this.stream);
  }

  /** Gives the stream away: nobody here listens to it or counts its bytes any more. */
  detach(): Tunnel {
    this.#gone = true;
    this.listener = null;
    this.stream.off('data', this.#onData);
    this.stream.off('drain', this.#onDrain);
    this.stream.off('end', this.#onEnd);
    this.stream.off('error', this.#onClose);
    this.stream.off('close', this.#onClose);
    return { stream: this.stream, meter: this.#meter };
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#meter.bytesOut += chunk.length;
    // It had said everything: who goes on would keep the tunnel for ever.
    if (this.#gone) this.stream.destroy();
    else if (this.listener === null) this.#onIdleEnd(this);
    else this.listener.onTargetData(chunk);
  };

  readonly #onDrain = (): void => this.listener?.onTargetDrain();

  readonly #onEnd = (): void => {
    this.#ended = true;
    if (this.#gone) return;
    // Node also ends the reading of an HTTP/2 stream that was cut off with code NO_ERROR.
    if ('aborted' in this.stream && this.stream.aborted === true) this.#onClose();
    else if (this.listener === null) this.#onIdleEnd(this);
    else this.listener.onTargetEnd();
  };

  readonly #onClose = (): void => {
    if (this.#gone) return;
    this.#gone = true;
    if (this.listener === null) this.#onIdleEnd(this);
    else this.listener.onTargetGone();
  };
}

/** How long a target may take to end its side after we have ended ours. */
const END_MS = 2000;

/**
 * Ends a stream without a reset, which the other side answers with its own end. Resets are for failures: HTTP/2 of Node
 * 20, on which agents may run, ends a whole session that gets more than 33 a second.
 */
function endInOrder(stream: Duplex & { setTimeout?: (ms: number, onTimeout: () => void) => void }): void {
  if (stream.destroyed) return;
  stream.end();
  stream.resume();
  if (stream.setTimeout === undefined) stream.destroy();
  else stream.setTimeout(END_MS, () => stream.destroy());
}
