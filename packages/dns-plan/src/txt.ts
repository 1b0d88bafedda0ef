/** Bytes of one character string (RFC 1035, section 3.3). */
const STRING_BYTES_MAX = 255;

/**
 * A text as zone files and providers' APIs write it: character strings of at most 255 bytes in quotes.
 *
 * @see RFC 1035, section 5.1
 */
export function quoteTxt(text: string): string {
  const bytes = new TextEncoder().encode(text);
  const strings: string[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += STRING_BYTES_MAX) {
    strings.push(`"${Array.from(bytes.subarray(at, at + STRING_BYTES_MAX), escapeByte).join('')}"`);
  }
  return strings.join(' ');
}

/**
 * Reads what `quoteTxt()` and others write: quoted strings, or words without quotes.
 *
 * @returns null: not well-formed.
 */
export function unquoteTxt(presentation: string): string | null {
  const bytes: number[] = [];
  let at = 0;
  while (at < presentation.length) {
    if (/\s/.test(presentation[at] ?? '')) {
      at += 1;
      continue;
    }
    const quoted = presentation[at] === '"';
    if (quoted) at += 1;
    for (;;) {
      const c = presentation[at];
      if (c === undefined) {
        if (quoted) return null;
        break;
      }
      if (quoted ? c === '"' : /[\s"]/.test(c)) break;
      const taken = takeCharacter(presentation, at, bytes);
      if (taken === null) return null;
      at += taken;
    }
    if (quoted) at += 1;
  }
  return decode(Uint8Array.from(bytes));
}

/** Length of a text on the wire: each string has a byte for its length. */
export function txtBytes(text: string): number {
  const length = new TextEncoder().encode(text).length;
  return length + Math.max(1, Math.ceil(length / STRING_BYTES_MAX));
}

function escapeByte(byte: number): string {
  if (byte === 0x22 || byte === 0x5c) return `\\${String.fromCharCode(byte)}`;
  if (byte >= 0x20 && byte <= 0x7e) return String.fromCharCode(byte);
  return `\\${String(byte).padStart(3, '0')}`;
}

/** @returns How many characters were taken; null: a bad escape. */
function takeCharacter(text: string, at: number, bytes: number[]): number | null {
  const c = text.codePointAt(at) ?? 0;
  if (c !== 0x5c) {
    const character = String.fromCodePoint(c);
    bytes.push(...new TextEncoder().encode(character));
    return character.length;
  }
  const digits = /^\d{3}/.exec(text.slice(at + 1, at + 4))?.[0];
  if (digits !== undefined) {
    if (Number(digits) > 255) return null;
    bytes.push(Number(digits));
    return 4;
  }
  const next = text.codePointAt(at + 1);
  if (next === undefined) return null;
  const character = String.fromCodePoint(next);
  bytes.push(...new TextEncoder().encode(character));
  return 1 + character.length;
}

/** What is not UTF-8 is read byte by byte: such a text is foreign, and only compared. */
function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  }
}
