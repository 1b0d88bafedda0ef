import { CR, HEX_VALUE, IS_FIELD_VALUE, LF } from './char-class.ts';
import { CHUNK_EXTENSION_BYTES_MAX, CHUNK_SIZE_DIGITS_MAX, TRAILER_BYTES_MAX } from './limits.ts';
import { headTooLarge, malformed } from './malformed.ts';
import { safeTrailers } from './safe-trailers.ts';

/** Where the scanner stands; `sizeLf`: the LF after a size line, and so on. */
type State = 'size' | 'extension' | 'sizeLf' | 'data' | 'dataCr' | 'dataLf' | 'trailer' | 'done';

const SEMICOLON = 0x3b;
const NOTHING = Buffer.alloc(0);

/**
 * Walks over a chunked body from size line to size line. The bytes are passed on as they came, after every one of them
 * that is not payload has been checked; only a trailer section with fields is held back (at most TRAILER_BYTES_MAX)
 * and written anew without what is forbidden in it.
 *
 * @see RFC 9112, section 7.1
 */
export class ChunkedScanner {
  done = false;
  /** See BodyScanner. */
  passTo = 0;
  consumed = 0;
  trailer = '';
  #state: State = 'size';
  #size = 0;
  #digits = 0;
  #extensionBytes = 0;
  #held: Buffer = NOTHING;

  /** @throws {TunnoxError} `malformed`, `head_too_large` */
  scan(bytes: Buffer, pos: number, onPayload?: (from: number, to: number) => void): void {
    this.trailer = '';
    const length = bytes.length;
    while (pos < length) {
      if (this.#state === 'trailer') return this.#scanTrailer(bytes, pos);
      if (this.#state === 'done') break;
      if (this.#state === 'data') {
        const taken = Math.min(this.#size, length - pos);
        onPayload?.(pos, pos + taken);
        pos += taken;
        this.#size -= taken;
        if (this.#size === 0) this.#state = 'dataCr';
        continue;
      }
      this.#step(bytes[pos++] as number);
    }
    this.passTo = pos;
    this.consumed = pos;
  }

  /** One byte of a size line or of the CRLF after a chunk's data. */
  #step(byte: number): void {
    switch (this.#state) {
      case 'size': {
        const digit = HEX_VALUE[byte] as number;
        if (digit !== -1) {
          if (++this.#digits > CHUNK_SIZE_DIGITS_MAX) throw malformed('A chunk size has too many digits');
          this.#size = this.#size * 16 + digit;
        } else if (this.#digits === 0) throw malformed('A chunk has no size');
        else if (byte === CR) this.#state = 'sizeLf';
        else if (byte === SEMICOLON) this.#state = 'extension';
        else throw malformed('A chunk size is not a hexadecimal number');
        return;
      }
      case 'extension':
        if (byte === CR) this.#state = 'sizeLf';
        else if (IS_FIELD_VALUE[byte] !== 1) throw malformed('A chunk extension has a forbidden character');
        else if (++this.#extensionBytes > CHUNK_EXTENSION_BYTES_MAX) throw malformed('A chunk extension is too long');
        return;
      case 'sizeLf':
        if (byte !== LF) throw malformed('A chunk size line does not end with CRLF');
        this.#state = this.#size === 0 ? 'trailer' : 'data';
        this.#digits = 0;
        this.#extensionBytes = 0;
        return;
      case 'dataCr':
        if (byte !== CR) throw malformed('A chunk is longer than its size');
        this.#state = 'dataLf';
        return;
      case 'dataLf':
        if (byte !== LF) throw malformed('A chunk is longer than its size');
        this.#state = 'size';
        return;
      case 'data':
      case 'trailer':
      case 'done':
        throw new Error(`Cannot step over a byte in the state '${this.#state}'`);
    }
  }

  #scanTrailer(bytes: Buffer, pos: number): void {
    this.passTo = pos;
    if (this.#held.length === 0 && bytes[pos] === CR && bytes[pos + 1] === LF) {
      this.passTo = pos + 2;
      return this.#finish(pos + 2);
    }
    const before = this.#held.length;
    const held = before === 0 ? bytes.subarray(pos) : Buffer.concat([this.#held, bytes.subarray(pos)]);
    const section = safeTrailers(held);
    if (section !== null && section.end <= TRAILER_BYTES_MAX) {
      this.trailer = section.text;
      return this.#finish(pos + section.end - before);
    }
    if (held.length >= TRAILER_BYTES_MAX) throw headTooLarge(`A trailer section may have ${TRAILER_BYTES_MAX} bytes`);
    this.#held = held;
    this.consumed = bytes.length;
  }

  #finish(consumed: number): void {
    this.#state = 'done';
    this.#held = NOTHING;
    this.done = true;
    this.consumed = consumed;
  }
}
