const NAME_LENGTH_MAX = 253;
const LABEL_LENGTH_MAX = 63;

/** A legal name in lower case: labels of letters, digits, hyphens and (as some hosts have) underscores. */
const LEGAL_NAME = /^(?!.*\.\.)[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?$/;

/** `host` or `host:port` with an optional trailing dot. */
const HOST_HEADER = /^([A-Za-z0-9_.-]+?)\.?(?::\d{0,5})?$/;

/**
 * Normal form of a Host header or SNI: lower case, port and one trailing dot cut.
 *
 * @returns null: not a host name (an address in brackets, an illegal character, an empty or overlong label).
 */
export function normalizeHost(host: string): string | null {
  const name = HOST_HEADER.exec(host)?.[1]?.toLowerCase();
  if (name === undefined || name.length > NAME_LENGTH_MAX || !LEGAL_NAME.test(name)) return null;
  if (name.length > LABEL_LENGTH_MAX && name.split('.').some((label) => label.length > LABEL_LENGTH_MAX)) return null;
  return name;
}

/**
 * ASCII form of a name as a person writes it: `Café.example.` → `xn--caf-dma.example` (UTS 46).
 *
 * @returns null: there is no such form.
 */
export function toAsciiName(name: string): string | null {
  const ascii = encodeName(name);
  return ascii === null ? null : normalizeHost(ascii);
}

/** The same, without a limit on lengths. */
export function encodeName(name: string): string | null {
  // Everything that would end or change the host part of a URL.
  if (name === '' || /[\s/?#@:%\\[\]*]/.test(name)) return null;
  const url = `http://${name}`;
  if (!URL.canParse(url)) return null;
  const ascii = new URL(url).hostname;
  // URL reads a form like `0x7f.1` as an address.
  return isIpv4(ascii) && ascii !== name ? null : ascii;
}

export function isIpv4(name: string): boolean {
  return /^\d{1,3}(?:\.\d{1,3}){3}$/.test(name);
}

/** Tells whether `name` is `zone` or lies below it; both in normal form. */
export function isWithin(name: string, zone: string): boolean {
  return name === zone || name.endsWith(`.${zone}`);
}
