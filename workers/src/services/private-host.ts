/** IPv4 ranges that are nobody's on the internet (RFC 6890), as [first octets, bits]. */
const PRIVATE_V4: [number, number][] = [
  [ipv4(0, 0, 0, 0), 8],
  [ipv4(10, 0, 0, 0), 8],
  [ipv4(100, 64, 0, 0), 10],
  [ipv4(127, 0, 0, 0), 8],
  [ipv4(169, 254, 0, 0), 16],
  [ipv4(172, 16, 0, 0), 12],
  [ipv4(192, 0, 0, 0), 24],
  [ipv4(192, 168, 0, 0), 16],
  [ipv4(198, 18, 0, 0), 15],
  [ipv4(224, 0, 0, 0), 3],
];

/** Names that lead into the machine or its network. */
const PRIVATE_NAMES = /(?:^|\.)(?:localhost|local|internal|lan|home\.arpa|intranet|corp|home)$/;

/**
 * Whether a URL's host is (or looks like) one of a private network.
 *
 * @param hostname As `URL` gives it: IPv6 in brackets, other forms of IPv4 already in dotted quads.
 */
export function isPrivateHost(hostname: string): boolean {
  const host = hostname.replace(/\.$/, '').toLowerCase();
  if (host.startsWith('[')) return isPrivateAddress(host.slice(1, -1));
  if (/^\d{1,3}(?:\.\d{1,3}){3}$/.test(host)) return isPrivateAddress(host);
  return !host.includes('.') || PRIVATE_NAMES.test(host);
}

/** Whether an address (IPv4, or IPv6 in the form of RFC 5952) is not one of the internet. */
export function isPrivateAddress(address: string): boolean {
  if (!address.includes(':')) return isPrivateV4(address);
  const mapped = /^(?:::ffff:|64:ff9b::)([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(address);
  if (mapped !== null) {
    const [high, low] = [Number.parseInt(mapped[1] ?? '', 16), Number.parseInt(mapped[2] ?? '', 16)];
    return isPrivateV4([high >> 8, high & 255, low >> 8, low & 255].join('.'));
  }
  // Only 2000::/3 is given out; of it, tunnels to IPv4 and documentation are nobody's.
  return !/^[23][0-9a-f]{3}:/.test(address) || /^(?:2002:|2001:(?:0|db8):|2001::)/.test(address);
}

function isPrivateV4(address: string): boolean {
  const octets = address.split('.').map(Number);
  if (octets.length !== 4 || octets.some((octet) => !Number.isInteger(octet) || octet < 0 || octet > 255)) return true;
  const [a = 0, b = 0, c = 0, d = 0] = octets;
  const value = ipv4(a, b, c, d);
  return PRIVATE_V4.some(([network, bits]) => value >>> (32 - bits) === network >>> (32 - bits));
}

function ipv4(a: number, b: number, c: number, d: number): number {
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}
