/** One entry for each byte value; 1 = the byte belongs to the class. */
type ByteTable = Uint8Array;

/** `tchar` of RFC 9110, section 5.6.2: methods and field names. */
export const IS_TOKEN: ByteTable = tableOf((byte, char) => byte < 0x80 && /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(char));

/** Bytes of a field value: HTAB, SP, VCHAR, obs-text (RFC 9110, section 5.5). */
export const IS_FIELD_VALUE: ByteTable = tableOf((byte) => byte === 0x09 || (byte >= 0x20 && byte !== 0x7f));

/**
 * Bytes of a request target. RFC 3986 allows fewer, but browsers send `|`, `{` or `"`, and nobody takes these for a
 * delimiter. A fragment never belongs to a request target, and bytes above 127 are refused by most servers as well.
 */
export const IS_TARGET: ByteTable = tableOf((byte, char) => byte > 0x20 && byte < 0x7f && char !== '#');

/**
 * Lower case of an ASCII byte. `_` becomes `-`: many frameworks give both names to a program as one variable, so
 * `X_Forwarded_For` must be recognised as what it wants to be taken for.
 */
export const FOLDED: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte === 0x5f) return 0x2d;
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
});

/** Value of a hexadecimal digit, or -1. */
export const HEX_VALUE: Int8Array = Int8Array.from({ length: 256 }, (_, byte) => {
  const char = String.fromCharCode(byte);
  return /[0-9A-Fa-f]/.test(char) ? Number.parseInt(char, 16) : -1;
});

export const HTAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const COLON = 0x3a;

function tableOf(belongs: (byte: number, char: string) => boolean): ByteTable {
  return Uint8Array.from({ length: 256 }, (_, byte) => (belongs(byte, String.fromCharCode(byte)) ? 1 : 0));
}
