import { decodeDnsName, encodeDnsName } from './dns-name.ts';
import { addressText, caaText } from './record-text.ts';

/** Types of records that are asked for, with their numbers. */
export const RECORD_TYPES = { A: 1, CNAME: 5, TXT: 16, AAAA: 28, CAA: 257 } as const;
export type RecordType = keyof typeof RECORD_TYPES;

const CLASS_IN = 1;
const HEADER_BYTES = 12;
const FLAG_RESPONSE = 0x8000;
const FLAG_TRUNCATED = 0x0200;
const FLAG_RECURSION_DESIRED = 0x0100;
const OPCODE_MASK = 0x7800;
const RCODE_MASK = 0x000f;

/** Names of response codes. RFC 1035, section 4.1.1, and RFC 2136. */
const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED', 'YXDOMAIN', 'YXRRSET', 'NXRRSET'];

/** A record of the answer section; other types and classes are left out. */
export type DnsRecord =
  | { type: 'CNAME'; name: string; target: string }
  /** `text`: its character-strings joined, one character an octet. */
  | { type: 'TXT'; name: string; text: string }
  /** `text`: the address; of a CAA record `flags tag value`, its octets one character each. */
  | { type: 'A' | 'AAAA' | 'CAA'; name: string; text: string };

export interface DnsMessage {
  /** Such as `NXDOMAIN`; `RCODE11` where there is no name. */
  rcode: string;
  records: DnsRecord[];
}

/**
 * A query for one name and type, with recursion.
 *
 * @param id 16 bits.
 * @returns null: the name is no DNS name.
 * @see RFC 1035, section 4.1
 */
export function encodeQuery(id: number, name: string, type: RecordType): Uint8Array | null {
  const encoded = encodeDnsName(name);
  if (encoded === null) return null;
  const message = new Uint8Array(HEADER_BYTES + encoded.length + 4);
  const view = new DataView(message.buffer);
  view.setUint16(0, id);
  view.setUint16(2, FLAG_RECURSION_DESIRED);
  view.setUint16(4, 1);
  message.set(encoded, HEADER_BYTES);
  view.setUint16(HEADER_BYTES + encoded.length, RECORD_TYPES[type]);
  view.setUint16(HEADER_BYTES + encoded.length + 2, CLASS_IN);
  return message;
}

/**
 * Reads the answer to a query that `encodeQuery()` has made.
 *
 * @returns null: it is none: cut off, malformed, of another id or to another question.
 */
export function decodeAnswer(
  message: Uint8Array,
  query: { id: number; name: string; type: RecordType },
): DnsMessage | null {
  if (message.length < HEADER_BYTES) return null;
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const flags = view.getUint16(2);
  if (view.getUint16(0) !== query.id) return null;
  if ((flags & FLAG_RESPONSE) === 0 || (flags & FLAG_TRUNCATED) !== 0 || (flags & OPCODE_MASK) !== 0) return null;
  const rcode = flags & RCODE_MASK;
  if (view.getUint16(4) !== 1) return null;
  const question = decodeDnsName(message, HEADER_BYTES);
  if (question === null || question.next + 4 > message.length || question.name !== query.name.toLowerCase())
    return null;
  if (view.getUint16(question.next) !== RECORD_TYPES[query.type]) return null;
  if (view.getUint16(question.next + 2) !== CLASS_IN) return null;
  const records: DnsRecord[] = [];
  let at = question.next + 4;
  for (let left = view.getUint16(6); left > 0; left -= 1) {
    const owner = decodeDnsName(message, at);
    if (owner === null || owner.next + 10 > message.length) return null;
    const type = view.getUint16(owner.next);
    const inClass = view.getUint16(owner.next + 2) === CLASS_IN;
    const start = owner.next + 10;
    const end = start + view.getUint16(owner.next + 8);
    if (end > message.length) return null;
    at = end;
    if (!inClass) continue;
    if (type === RECORD_TYPES.CNAME) {
      const target = decodeDnsName(message, start);
      if (target === null || target.next !== end) return null;
      records.push({ type: 'CNAME', name: owner.name, target: target.name });
    } else if (type === RECORD_TYPES.TXT) {
      const text = decodeStrings(message.subarray(start, end));
      if (text === null) return null;
      records.push({ type: 'TXT', name: owner.name, text });
    } else if (type === RECORD_TYPES.A || type === RECORD_TYPES.AAAA) {
      const text = addressText(message.subarray(start, end));
      if (text === null || text.includes(':') !== (type === RECORD_TYPES.AAAA)) return null;
      records.push({ type: type === RECORD_TYPES.A ? 'A' : 'AAAA', name: owner.name, text });
    } else if (type === RECORD_TYPES.CAA) {
      const text = caaText(message.subarray(start, end));
      if (text === null) return null;
      records.push({ type: 'CAA', name: owner.name, text });
    }
  }
  return { rcode: RCODES[rcode] ?? `RCODE${rcode}`, records };
}

/** Character-strings of a TXT record, joined; null: the last one is cut off. RFC 1035, section 3.3.14. */
function decodeStrings(data: Uint8Array): string | null {
  let text = '';
  for (let at = 0; at < data.length;) {
    const end = at + 1 + (data[at] ?? 0);
    if (end > data.length) return null;
    for (const octet of data.subarray(at + 1, end)) text += String.fromCharCode(octet);
    at = end;
  }
  return text;
}
