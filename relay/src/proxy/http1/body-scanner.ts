import { ChunkedScanner } from './chunked-scanner.ts';
import type { Framing } from './framing.ts';

/**
 * Finds where a body ends, without touching it. After `scan(bytes, pos)`: pass on `bytes[pos, passTo)`, then `trailer`;
 * `consumed` is the index after what belonged to the body; what stands there belongs to the next message.
 */
export class BodyScanner {
  done: boolean;
  passTo = 0;
  consumed = 0;
  /** Trailer section to be written after the bytes; empty most of the time. */
  trailer = '';
  readonly framing: Framing;
  #remaining: number;
  readonly #chunked: ChunkedScanner | null;

  constructor(framing: Framing) {
    this.framing = framing;
    this.done = framing.kind === 'none';
    this.#remaining = framing.kind === 'length' ? framing.bytes : Number.POSITIVE_INFINITY;
    this.#chunked = framing.kind === 'chunked' ? new ChunkedScanner() : null;
  }

  /**
   * @param onPayload Called with the ranges of payload of a chunked body, for a peer that cannot read chunks.
   * @throws {TunnoxError} `malformed`, `head_too_large` (trailers): nothing of these bytes may be passed on
   */
  scan(bytes: Buffer, pos: number, onPayload?: (from: number, to: number) => void): void {
    if (this.#chunked !== null) {
      this.#chunked.scan(bytes, pos, onPayload);
      this.passTo = this.#chunked.passTo;
      this.consumed = this.#chunked.consumed;
      this.trailer = this.#chunked.trailer;
      this.done = this.#chunked.done;
      return;
    }
    const taken = this.done ? 0 : Math.min(this.#remaining, bytes.length - pos);
    this.#remaining -= taken;
    this.passTo = pos + taken;
    this.consumed = this.passTo;
    this.done = this.#remaining === 0 || this.done;
  }
}
