import { asciiName } from './record-name.ts';
import { txtBytes, unquoteTxt } from './txt.ts';

/** Types that are understood. What of them may be stored is the control plane's choice. */
export type RecordType = 'A' | 'AAAA' | 'CNAME' | 'TXT' | 'MX' | 'SRV' | 'CAA';

export type ValueResult = { ok: true; value: string } | { ok: false; fault: string };

interface TypeRules {
  /** Canonical form of a value, or what is wrong with it as the end of a sentence. */
  parse(value: string, place: { name: string; zone: string }): ValueResult;
  /**
   * Who may stand beside a value at the same name and type. `one`: nobody, the name has one value. `ours`: other values
   * of ours; foreign ones would share our visitors. `all`: anybody's, such as several TXT proofs.
   */
  beside: 'one' | 'ours' | 'all';
}

/** Of a whole TXT record; providers allow no more (Cloudflare: 2048 characters). */
const TXT_BYTES_MAX = 2048;

/** Rules of each type. A new type is one entry. */
export const RECORD_TYPES: Record<RecordType, TypeRules> = {
  A: { parse: parseIpv4, beside: 'ours' },
  AAAA: { parse: parseIpv6, beside: 'ours' },
  CNAME: { parse: parseCname, beside: 'one' },
  TXT: { parse: parseTxt, beside: 'all' },
  MX: { parse: parseMx, beside: 'all' },
  SRV: { parse: parseSrv, beside: 'all' },
  CAA: { parse: parseCaa, beside: 'all' },
};

/** Seconds: 1 leaves it to the provider. */
export function isTtl(ttl: number): boolean {
  return Number.isInteger(ttl) && (ttl === 1 || (ttl >= 60 && ttl <= 86_400));
}

/**
 * Canonical form of a value: equal values have equal texts.
 *
 * @param place Whole name of the record, and its zone.
 */
export function canonicalValue(type: RecordType, value: string, place: { name: string; zone: string }): ValueResult {
  return RECORD_TYPES[type].parse(value, place);
}

function parseIpv4(value: string): ValueResult {
  const parts = value.trim().split('.');
  const isOctet = (part: string) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255;
  if (parts.length !== 4 || !parts.every(isOctet)) return refuse('is not an IPv4 address such as 203.0.113.7');
  if (value.trim() === '0.0.0.0') return refuse('is no address that anybody can reach');
  return { ok: true, value: parts.join('.') };
}

function parseIpv6(value: string): ValueResult {
  const text = value.trim();
  // RFC 5952 form, as URL writes it.
  if (!/^[0-9A-Fa-f:.]+$/.test(text) || !text.includes(':') || !URL.canParse(`http://[${text}]`)) {
    return refuse('is not an IPv6 address such as 2001:db8::7');
  }
  const canonical = new URL(`http://[${text}]`).hostname.slice(1, -1);
  return canonical === '::' ? refuse('is no address that anybody can reach') : { ok: true, value: canonical };
}

function parseCname(value: string, { name, zone }: { name: string; zone: string }): ValueResult {
  if (name === zone)
    return refuse('cannot be a CNAME: it is the zone itself, which has other records (RFC 1034, 3.6.2)');
  const target = parseTarget(value, zone);
  if (!target.ok) return target;
  return target.value === name ? refuse('would point at itself') : target;
}

/** A whole name; `@` is the zone. */
function parseTarget(value: string, zone: string): ValueResult {
  const text = value.trim();
  if (text === '@') return { ok: true, value: zone };
  const checked = asciiName(text.endsWith('.') ? text.slice(0, -1) : text, { wildcard: false });
  if (!checked.ok || !checked.name.includes('.')) return refuse('is not a whole host name such as relay.example.net');
  if (/^\d+$/.test(checked.name.slice(checked.name.lastIndexOf('.') + 1)))
    return refuse('is an address, not a host name');
  return { ok: true, value: checked.name };
}

function parseTxt(value: string): ValueResult {
  const text = value.startsWith('"') ? unquoteTxt(value) : value;
  if (text === null) return refuse('has quotes that do not match, or a bad escape');
  if (text === '') return refuse('is empty');
  if (/\p{Cc}/u.test(text) || !text.isWellFormed()) return refuse('has control characters');
  if (txtBytes(text) > TXT_BYTES_MAX) return refuse(`is longer than ${TXT_BYTES_MAX} bytes`);
  return { ok: true, value: text };
}

function parseMx(value: string, { zone }: { zone: string }): ValueResult {
  const [priority = '', target = '', ...rest] = value.trim().split(/\s+/);
  if (rest.length > 0 || !isUint16(priority))
    return refuse('is not a priority and a host name such as 10 mail.example.net');
  const host = parseTarget(target, zone);
  return host.ok ? { ok: true, value: `${Number(priority)} ${host.value}` } : host;
}

function parseSrv(value: string, { zone }: { zone: string }): ValueResult {
  const [priority = '', weight = '', port = '', target = '', ...rest] = value.trim().split(/\s+/);
  if (rest.length > 0 || ![priority, weight, port].every(isUint16)) {
    return refuse('is not priority, weight, port and host name such as 10 5 5060 sip.example.net');
  }
  const host = parseTarget(target, zone);
  return host.ok ? { ok: true, value: `${Number(priority)} ${Number(weight)} ${Number(port)} ${host.value}` } : host;
}

function parseCaa(value: string): ValueResult {
  const [, flags = '', tag = '', property = ''] = /^\s*(\d{1,3})\s+([A-Za-z0-9]+)\s+(.+?)\s*$/s.exec(value) ?? [];
  const text = property.startsWith('"') ? unquoteTxt(property) : property;
  if (flags === '' || Number(flags) > 255 || text === null || /\p{Cc}/u.test(text)) {
    return refuse('is not flags, tag and value such as 0 issue "ca.example.net"');
  }
  return { ok: true, value: `${Number(flags)} ${tag.toLowerCase()} "${text}"` };
}

function isUint16(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535;
}

function refuse(fault: string): ValueResult {
  return { ok: false, fault };
}
