/**
 * The network by which creations are counted: the /24 of an IPv4 address, the /64 of an IPv6 one (such as
 * `203.0.113.0/24`, `2001:db8:0:1::/64`).
 *
 * @param address As a proxy gives it; of a list the last, which is the one that the nearest proxy has added.
 * @returns null for this machine itself and for what is not an address.
 */
export function networkOf(address: string): string | null {
  const last = address.split(',').at(-1)?.trim() ?? '';
  const mapped = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(last)?.[1];
  const v4 = ipv4(mapped ?? last);
  if (v4 !== null) return v4[0] === 127 ? null : `${v4[0]}.${v4[1]}.${v4[2]}.0/24`;
  const v6 = ipv6(last);
  if (v6 === null || v6.every((group, index) => group === (index === 7 ? 1 : 0))) return null;
  return `${v6
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`;
}

function ipv4(text: string): number[] | null {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part))) return null;
  const bytes = parts.map(Number);
  return bytes.every((byte) => byte <= 255) ? bytes : null;
}

/** The eight groups; the URL parser knows every way to write them. */
function ipv6(text: string): number[] | null {
  if (!/^[0-9a-f:.]+$/i.test(text) || !URL.canParse(`http://[${text}]/`)) return null;
  const [head = '', tail] = new URL(`http://[${text}]/`).hostname.slice(1, -1).split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length;
  return [...before, ...Array.from({ length: zeros }, () => '0'), ...after].map((group) => parseInt(group, 16));
}
