/**
 * An IPv4 or IPv6 address as text; IPv6 in its canonical form (RFC 5952).
 *
 * @param data 4 or 16 octets. @returns null: it is neither
 */
export function addressText(data: Uint8Array): string | null {
  if (data.length === 4) return [...data].join('.');
  if (data.length !== 16) return null;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const groups = Array.from({ length: 8 }, (_, index) => view.getUint16(2 * index).toString(16));
  // The URL parser writes the canonical form.
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}

/**
 * A CAA record as `flags tag value`, such as `0 issue ca.example`; one character an octet.
 *
 * @returns null: it is malformed
 * @see RFC 8659, section 4.1
 */
export function caaText(data: Uint8Array): string | null {
  const [flags, length] = data;
  if (flags === undefined || length === undefined || length === 0 || data.length < 2 + length) return null;
  const text = (from: number, to?: number) => String.fromCodePoint(...data.subarray(from, to));
  const tag = text(2, 2 + length).toLowerCase();
  return /^[a-z0-9]+$/.test(tag) ? `${flags} ${tag} ${text(2 + length)}` : null;
}
