import { COLON, CR, HTAB, IS_FIELD_VALUE, IS_TOKEN, LF, SP } from './char-class.ts';
import { fieldKindOf, type FieldKind } from './field-kind.ts';
import { FIELDS_MAX } from './limits.ts';
import { headTooLarge, malformed } from './malformed.ts';

/**
 * Field lines of one head as numbers: where each line, its name and its value stand. Made once and filled again for
 * every head, so that parsing a head allocates nothing for its fields.
 */
export class FieldTable {
  count = 0;
  readonly #kinds = new Uint8Array(FIELDS_MAX);
  readonly #nameStarts = new Int32Array(FIELDS_MAX);
  readonly #nameEnds = new Int32Array(FIELDS_MAX);
  readonly #valueStarts = new Int32Array(FIELDS_MAX);
  readonly #valueEnds = new Int32Array(FIELDS_MAX);
  readonly #lineEnds = new Int32Array(FIELDS_MAX);

  /**
   * Reads the field lines in `bytes[pos, end)`; `end` is where the blank line begins.
   *
   * @throws {TunnoxError} `malformed` for a line fold, white space before the colon, a name that is no token, a value
   *   with control characters, CR or LF alone; `head_too_large` for more than FIELDS_MAX lines
   * @see RFC 9112, section 5
   */
  fill(bytes: Buffer, pos: number, end: number): void {
    let count = 0;
    while (pos < end) {
      const nameStart = pos;
      while (IS_TOKEN[bytes[pos] as number] === 1) pos++;
      if (bytes[pos] !== COLON || pos === nameStart) throw malformed('A field line has no proper name');
      const nameEnd = pos++;
      while (isBlank(bytes[pos])) pos++;
      const valueStart = pos;
      while (IS_FIELD_VALUE[bytes[pos] as number] === 1) pos++;
      if (bytes[pos] !== CR || bytes[pos + 1] !== LF) throw malformed('A field value has a forbidden character');
      let valueEnd = pos;
      while (valueEnd > valueStart && isBlank(bytes[valueEnd - 1])) valueEnd--;
      pos += 2;
      if (count < FIELDS_MAX) {
        this.#kinds[count] = fieldKindOf(bytes, nameStart, nameEnd);
        this.#nameStarts[count] = nameStart;
        this.#nameEnds[count] = nameEnd;
        this.#valueStarts[count] = valueStart;
        this.#valueEnds[count] = valueEnd;
        this.#lineEnds[count] = pos;
      }
      count++;
    }
    // Counted to the end, so that a head which is malformed and too long is malformed however it was cut.
    if (count > FIELDS_MAX) throw headTooLarge(`A head may have ${FIELDS_MAX} fields`);
    this.count = count;
  }

  kind(index: number): FieldKind {
    return this.#kinds[index] as FieldKind;
  }

  lineStart(index: number): number {
    return this.#nameStarts[index] as number;
  }

  lineEnd(index: number): number {
    return this.#lineEnds[index] as number;
  }

  /** Name as it was sent. `text` is the Latin-1 string of the bytes from `base` on. */
  name(index: number, text: string, base: number): string {
    return text.slice((this.#nameStarts[index] as number) - base, (this.#nameEnds[index] as number) - base);
  }

  /** Value without the white space around it. */
  value(index: number, text: string, base: number): string {
    return text.slice((this.#valueStarts[index] as number) - base, (this.#valueEnds[index] as number) - base);
  }
}

function isBlank(byte: number | undefined): boolean {
  return byte === SP || byte === HTAB;
}
