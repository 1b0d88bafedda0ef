import { BlockList, isIP } from 'node:net';
import type { AccessRules } from '@tunnox/domain/binding';

/**
 * Access rules of a binding, ready to be asked. A deny rule that cannot be read denies everybody, an allow rule that
 * cannot be read allows nobody: a mistake never opens a door.
 */
export class AccessList {
  readonly #allow: BlockList | null;
  readonly #deny: BlockList | null;
  readonly #denyAll: boolean;

  constructor(rules: AccessRules) {
    this.#allow = rules.allow.length === 0 ? null : new BlockList();
    this.#deny = rules.deny.length === 0 ? null : new BlockList();
    for (const range of rules.allow) addRange(this.#allow, range);
    let unreadable = false;
    for (const range of rules.deny) unreadable = !addRange(this.#deny, range) || unreadable;
    this.#denyAll = unreadable;
  }

  /** @param visitor `ip:port`, `[ipv6]:port` or a bare address; what is no address is denied where there are rules */
  allows(visitor: string): boolean {
    if (this.#allow === null && this.#deny === null) return true;
    const ip = normalizeIp(addressOf(visitor));
    const family = isIP(ip);
    if (family === 0 || this.#denyAll) return false;
    const type = family === 4 ? 'ipv4' : 'ipv6';
    if (this.#deny?.check(ip, type) === true) return false;
    return this.#allow === null || this.#allow.check(ip, type);
  }
}

/** The address of `ip:port`, `[ipv6]:port`, `[ipv6]`, or a bare address. */
export function addressOf(visitor: string): string {
  if (visitor.startsWith('[')) {
    const end = visitor.indexOf(']');
    return end === -1 ? '' : visitor.slice(1, end);
  }
  const colon = visitor.indexOf(':');
  return colon === -1 || visitor.includes(':', colon + 1) ? visitor : visitor.slice(0, colon);
}

/** Drops a zone id and turns an IPv4-mapped IPv6 address into IPv4 (RFC 4291, section 2.5.5.2). */
function normalizeIp(address: string): string {
  const zone = address.indexOf('%');
  const ip = zone === -1 ? address : address.slice(0, zone);
  return mappedIpv4(ip) ?? ip;
}

function mappedIpv4(ip: string): string | null {
  if (isIP(ip) !== 6) return null;
  const dotted = /^::ffff:([0-9.]+)$/i.exec(ip)?.[1];
  if (dotted !== undefined) return dotted;
  const hex = /^(?:::|(?:0{1,4}:){5})ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(ip);
  if (hex === null) return null;
  const high = Number.parseInt(hex[1] ?? '', 16);
  const low = Number.parseInt(hex[2] ?? '', 16);
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

/** Whether `text` is an address or a range (CIDR) that rules may hold. */
export function isRange(text: string): boolean {
  return addRange(new BlockList(), text);
}

/** @returns false when the range cannot be read */
function addRange(list: BlockList | null, range: string): boolean {
  const match = /^([0-9a-f.:]+)(?:\/([0-9]{1,3}))?$/i.exec(range.trim());
  const ip = match?.[1] ?? '';
  const family = isIP(ip);
  if (list === null || family === 0) return false;
  const bits = match?.[2] === undefined ? (family === 4 ? 32 : 128) : Number(match[2]);
  if (bits > (family === 4 ? 32 : 128)) return false;
  const ipv4 = family === 6 && bits >= 96 ? mappedIpv4(ip) : null;
  if (ipv4 !== null) list.addSubnet(ipv4, bits - 96, 'ipv4');
  else list.addSubnet(ip, bits, family === 4 ? 'ipv4' : 'ipv6');
  return true;
}
