import type { DnsProof, ProofCheck } from '@tunnox/domain/api/domains';
import { PROOF_LABEL } from '@tunnox/domain/name-rules';
import type { DnsAnswer } from './domain-proof-ports.ts';

/** Before the token in a TXT record. */
export const TXT_PREFIX = 'tunnox-verify=';
/** Reserved as a name under every base domain. */
const CNAME_LABEL = 'verify';
/** What is told of records that somebody else made. */
const VALUES_SHOWN = 10;
const VALUE_SHOWN_LENGTH = 255;
const TOKEN_BYTES = 20;

/** Both ways to prove a name, of which one is enough. @param baseDomain Under which the CNAME's target lies. */
export function proofsOf(fullDomain: string, token: string, baseDomain: string): DnsProof[] {
  const name = `${PROOF_LABEL}.${fullDomain}`;
  return [
    { type: 'TXT', name, value: `${TXT_PREFIX}${token}` },
    { type: 'CNAME', name, value: cnameTarget(token, baseDomain) },
  ];
}

/**
 * What the answers say about the proof of one tenant. A token is made for one name and one tenant and no secret: it
 * stands in the public DNS.
 *
 * @param answers To queries for TXT and CNAME records of the proof's name.
 */
export function judgeProof(
  fullDomain: string,
  token: string,
  baseDomains: readonly [string, ...string[]],
  answers: { txt: DnsAnswer; cname: DnsAnswer },
): ProofCheck[] {
  const { txt, cname } = answers;
  const targets = new Set(baseDomains.map((baseDomain) => cnameTarget(token, baseDomain).toLowerCase()));
  const aliases = [...new Set([...cname.chain, ...txt.chain])];
  return proofsOf(fullDomain, token, baseDomains[0]).map((proof) => {
    const isTxt = proof.type === 'TXT';
    const seen = isTxt ? txt.values : aliases;
    const matches = isTxt
      ? txt.values.some((value) => value.trim() === token || value.trim() === proof.value)
      : aliases.some((alias) => targets.has(alias));
    const result = matches ? 'matches' : resultOf(isTxt ? txt : cname, seen);
    const found = seen.slice(0, VALUES_SHOWN).map((value) => value.slice(0, VALUE_SHOWN_LENGTH));
    const { rcode } = isTxt ? txt : cname;
    return { ...proof, found, matches, result, detail: detailOf(proof, result, rcode) };
  });
}

/**
 * The token of a tenant for a name. It is the same whenever the tenant claims the name, so a record that stands in the
 * DNS still proves it; nobody without the key can tell another tenant's.
 *
 * @param key The control plane's encryption key.
 */
export async function proofToken(key: Uint8Array, userId: number, fullDomain: string): Promise<string> {
  const text = new TextEncoder();
  const secret = await crypto.subtle.importKey('raw', Uint8Array.from(key), 'HKDF', false, ['deriveKey']);
  const hmac = { name: 'HMAC', hash: 'SHA-256', length: 256 };
  const derivation = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info: text.encode('domain-proof') };
  const mac = await crypto.subtle.deriveKey(derivation, secret, hmac, false, ['sign']);
  const signed = await crypto.subtle.sign('HMAC', mac, text.encode(`${userId} ${fullDomain}`));
  return toBase32(new Uint8Array(signed).subarray(0, TOKEN_BYTES));
}

function cnameTarget(token: string, baseDomain: string): string {
  return `${token}.${CNAME_LABEL}.${baseDomain}`;
}

function resultOf({ rcode, chain }: DnsAnswer, seen: string[]): ProofCheck['result'] {
  if (seen.length > 0) return 'other_value';
  if (rcode === 'NXDOMAIN') return 'no_name';
  // An alias whose end cannot be asked for.
  if (rcode !== 'NOERROR') return chain.length === 0 ? 'failed' : 'no_record';
  return 'no_record';
}

function detailOf({ type, name, value }: DnsProof, result: ProofCheck['result'], rcode: string): string {
  switch (result) {
    case 'matches':
      return `The ${type} record of ${name} is right`;
    case 'no_name':
      return `There is no name ${name} (NXDOMAIN)`;
    case 'no_record':
      return `${name} has no ${type} record`;
    case 'other_value':
      return `${name} has a ${type} record, but with another value than ${value}`;
    case 'failed':
      return `The name servers of ${name} gave no answer (${rcode})`;
  }
}

/** Lower-case base32 without padding (RFC 4648, section 6): letters and digits, good for a label. */
function toBase32(bytes: Uint8Array): string {
  const digits = 'abcdefghijklmnopqrstuvwxyz234567';
  let text = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) text += digits[(value >> (bits - 5)) & 31];
  }
  return text;
}
