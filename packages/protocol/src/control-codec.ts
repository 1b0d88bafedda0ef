/** Longest control message in bytes, line feed not counted. */
export const CONTROL_LINE_BYTES_MAX = 64 * 1024;

/** A control stream said something that is not a message: the session ends with `malformed`. */
export class MalformedControl extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MalformedControl';
  }
}

/**
 * Writes one message as a line.
 *
 * @throws {RangeError} when it is longer than a peer accepts
 */
export function encodeControlLine(message: { type: string }): Uint8Array {
  const line = new TextEncoder().encode(`${JSON.stringify(message)}\n`);
  if (line.length > CONTROL_LINE_BYTES_MAX + 1) {
    throw new RangeError(
      `Cannot send '${message.type}': a message must be at most ${CONTROL_LINE_BYTES_MAX} bytes, it is ${line.length - 1}`,
    );
  }
  return line;
}

/** Cuts what arrives on a control stream into lines. Keeps at most one unfinished line. */
export class ControlLineDecoder {
  #pieces: Uint8Array[] = [];
  #pendingBytes = 0;

  /**
   * Takes the next bytes, however they were cut, and gives the lines that are now whole, without line feeds.
   *
   * @throws {MalformedControl} when a line is longer than `CONTROL_LINE_BYTES_MAX` or not UTF-8; the decoder is of no
   *   use afterwards
   */
  push(bytes: Uint8Array): string[] {
    const lines: string[] = [];
    let start = 0;
    for (;;) {
      const end = bytes.indexOf(LINE_FEED, start);
      const piece = bytes.subarray(start, end === -1 ? bytes.length : end);
      if (this.#pendingBytes + piece.length > CONTROL_LINE_BYTES_MAX) {
        throw new MalformedControl(`A control message must be at most ${CONTROL_LINE_BYTES_MAX} bytes`);
      }
      if (end === -1) {
        this.#keep(piece);
        return lines;
      }
      lines.push(this.#finish(piece));
      start = end + 1;
    }
  }

  #keep(piece: Uint8Array): void {
    if (piece.length === 0) return;
    // A copy: the caller's buffer may be large or used again.
    this.#pieces.push(piece.slice());
    this.#pendingBytes += piece.length;
    // A line that comes byte by byte must not cost an object a byte.
    if (this.#pieces.length >= PIECES_MAX) this.#pieces = [concat(this.#pieces, this.#pendingBytes)];
  }

  #finish(last: Uint8Array): string {
    const whole = this.#pieces.length === 0 ? last : concat([...this.#pieces, last], this.#pendingBytes + last.length);
    this.#pieces = [];
    this.#pendingBytes = 0;
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(whole);
    } catch {
      throw new MalformedControl('A control message must be UTF-8');
    }
  }
}

const LINE_FEED = 0x0a;
const PIECES_MAX = 64;

function concat(pieces: Uint8Array[], bytes: number): Uint8Array {
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
