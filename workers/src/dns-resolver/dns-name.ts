const LABEL_BYTES_MAX = 63;
/** With the length octet of each label and the root's. RFC 1035, section 2.3.4. */
const NAME_BYTES_MAX = 255;
/** Top bits of a length octet that make it the first half of a pointer. */
const POINTER = 0xc0;

/**
 * Wire form of a name, uncompressed.
 *
 * @param name ASCII, labels parted by dots, without a trailing one.
 * @returns null: a label or the whole is empty or too long.
 * @see RFC 1035, section 3.1
 */
export function encodeDnsName(name: string): Uint8Array | null {
  const labels = name.split('.');
  if (labels.some((label) => label === '' || label.length > LABEL_BYTES_MAX || !/^[!-~]*$/.test(label))) return null;
  // oxlint-disable-next-line unicorn/prefer-code-point -- ASCII, as was just checked
  const bytes = labels.flatMap((label) => [label.length, ...Array.from(label, (c) => c.charCodeAt(0))]);
  return bytes.length + 1 > NAME_BYTES_MAX ? null : Uint8Array.from([...bytes, 0]);
}

/**
 * Reads a name, which may be compressed.
 *
 * @returns The name in lower case without a trailing dot (`''`: the root), and where what follows it begins. Octets that
 *   no host name has are escaped as `\DDD`. null: it is cut off, too long, or leads in circles.
 * @see RFC 1035, sections 3.1 and 4.1.4
 */
export function decodeDnsName(message: Uint8Array, offset: number): { name: string; next: number } | null {
  const labels: string[] = [];
  let next: number | null = null;
  let bytes = 1;
  let at = offset;
  // A pointer leads backwards only, so that every way ends.
  let limit = offset;
  for (;;) {
    const length = message[at];
    if (length === undefined) return null;
    if (length >= POINTER) {
      const low = message[at + 1];
      if (low === undefined) return null;
      next ??= at + 2;
      at = ((length & 0x3f) << 8) | low;
      if (at >= limit) return null;
      limit = at;
      continue;
    }
    if (length > LABEL_BYTES_MAX) return null;
    if (length === 0) return { name: labels.join('.'), next: next ?? at + 1 };
    bytes += length + 1;
    if (bytes > NAME_BYTES_MAX || at + 1 + length > message.length) return null;
    labels.push(textOf(message.subarray(at + 1, at + 1 + length)));
    at += 1 + length;
  }
}

function textOf(label: Uint8Array): string {
  let text = '';
  for (const octet of label) {
    const character = String.fromCharCode(octet);
    text += /[A-Za-z0-9_*-]/.test(character) ? character.toLowerCase() : `\\${String(octet).padStart(3, '0')}`;
  }
  return text;
}
