import { COLON, CR, HTAB, IS_FIELD_VALUE, IS_TOKEN, LF, SP } from './char-class.ts';
import { FieldKind, fieldKindOf } from './field-kind.ts';
import { FIELDS_MAX } from './limits.ts';
import { headTooLarge } from './malformed.ts';

/** Numbers kept for a field: kind, start of its line, start and end of its value, end of its line. */
const STRIDE = 5;

/**
 * The fields of one head that mean something to a proxy, as numbers: what they are and where they stand. Made once and
 * filled again for every head, so that checking a head allocates nothing for its fields.
 */
export class FieldTable {
  /** Fields in the table; those of kind `other` are checked, but not kept. */
  count = 0;
  /** Index after the blank line. */
  end = 0;
  /** Where the first byte stands that cannot be. */
  badAt = 0;
  readonly #at = new Int32Array(FIELDS_MAX * STRIDE);

  /**
   * Checks the field lines that begin at `pos`, up to the blank line.
   *
   * @returns false: at `badAt` is a byte that must not be there, or the bytes end. A line fold, white space before the
   *   colon, a name that is no token, control characters, CR or LF alone.
   * @throws {TunnoxError} `head_too_large` for more than FIELDS_MAX lines
   * @see RFC 9112, section 5
   */
  fill(bytes: Buffer, pos: number): boolean {
    const at = this.#at;
    let lines = 0;
    let next = 0;
    for (;;) {
      const nameStart = pos;
      while (IS_TOKEN[bytes[pos] as number] === 1) pos++;
      if (bytes[pos] !== COLON || pos === nameStart) break;
      const kind = fieldKindOf(bytes, nameStart, pos++);
      while (isBlank(bytes[pos])) pos++;
      const valueStart = pos;
      while (IS_FIELD_VALUE[bytes[pos] as number] === 1) pos++;
      if (bytes[pos] !== CR || bytes[pos + 1] !== LF) return this.#bad(pos);
      if (++lines > FIELDS_MAX) throw headTooLarge(`A head may have ${FIELDS_MAX} fields`);
      pos += 2;
      if (kind === FieldKind.other) continue;
      at[next] = kind;
      at[next + 1] = nameStart;
      at[next + 2] = valueStart;
      at[next + 3] = pos - 2;
      at[next + 4] = pos;
      next += STRIDE;
    }
    this.count = next / STRIDE;
    this.end = pos + 2;
    // What is no field line must be the blank line.
    const blank = bytes[pos] === CR && bytes[pos + 1] === LF && (bytes[pos - 1] === LF || pos === 0);
    return blank || this.#bad(pos);
  }

  kind(index: number): FieldKind {
    return this.#at[index * STRIDE] as FieldKind;
  }

  lineStart(index: number): number {
    return this.#at[index * STRIDE + 1] as number;
  }

  lineEnd(index: number): number {
    return this.#at[index * STRIDE + 4] as number;
  }

  /** Value without the white space around it. */
  value(index: number, bytes: Buffer): string {
    const start = this.#at[index * STRIDE + 2] as number;
    let end = this.#at[index * STRIDE + 3] as number;
    while (end > start && isBlank(bytes[end - 1])) end--;
    return bytes.toString('latin1', start, end);
  }

  /** Value as a number of at most 15 digits, which every parser can hold; -1 for anything else. */
  number(index: number, bytes: Buffer): number {
    const start = this.#at[index * STRIDE + 2] as number;
    let end = this.#at[index * STRIDE + 3] as number;
    while (end > start && isBlank(bytes[end - 1])) end--;
    if (end === start || end - start > 15) return -1;
    let value = 0;
    for (let at = start; at < end; at++) {
      const digit = (bytes[at] as number) - 0x30;
      if (digit < 0 || digit > 9) return -1;
      value = value * 10 + digit;
    }
    return value;
  }

  #bad(pos: number): false {
    this.badAt = pos;
    return false;
  }
}

function isBlank(byte: number | undefined): boolean {
  return byte === SP || byte === HTAB;
}
