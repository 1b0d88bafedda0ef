import { TunnoxError } from '@tunnox/domain/tunnox-error';
import type { DnsResolver } from '../services/domain-proof-ports.ts';
import { CertificateFault, type ChallengeType } from './certificate-ports.ts';

export interface CaaQuestion {
  /** `*.` before one for a wildcard. */
  names: readonly string[];
  /** Domain names of the authority in CAA records; empty: it does not say, and only what forbids all is seen. */
  identities: readonly string[];
  challenge: ChallengeType;
}

interface CaaRecord {
  critical: boolean;
  tag: string;
  /** Before the first `;`; empty: nobody. */
  issuer: string;
  parameters: ReadonlyMap<string, string>;
}

const CRITICAL = 0x80;
/** Tags that are known to say nothing that forbids us more (RFC 8659, 8657, 9495, and the CA/Browser Forum's). */
const KNOWN_TAGS = new Set(['issue', 'issuewild', 'iodef', 'issuemail', 'issuevmc', 'contactemail', 'contactphone']);

/**
 * Whether the DNS lets an authority issue for names: it would find out itself, but count the refusal.
 *
 * @throws {CertificateFault} that names the record in the way
 * @see RFC 8659, RFC 8657
 */
export async function checkCaa(resolver: DnsResolver, { names, identities, challenge }: CaaQuestion): Promise<void> {
  const held = new Map<string, Promise<{ at: string; records: CaaRecord[] }>>();
  for (const name of names) {
    const isWildcard = name.startsWith('*.');
    const host = isWildcard ? name.slice(2) : name;
    const found = held.get(host) ?? relevantSet(resolver, host);
    held.set(host, found);
    const { at, records } = await found;
    const fault = faultOf(records, isWildcard, identities, challenge);
    if (fault !== null)
      throw new CertificateFault(`The CAA records of ${at} do not allow a certificate for ${name}: ${fault}`);
  }
}

/** The records of the name itself, or of the closest name above it that has any. */
async function relevantSet(resolver: DnsResolver, host: string): Promise<{ at: string; records: CaaRecord[] }> {
  const labels = host.split('.');
  for (let from = 0; from < labels.length; from += 1) {
    const at = labels.slice(from).join('.');
    const { rcode, values } = await lookUp(resolver, at);
    if (rcode !== 'NOERROR' && rcode !== 'NXDOMAIN') {
      throw new CertificateFault(`The CAA records of ${at} cannot be looked up: its name servers answer ${rcode}`);
    }
    if (values.length > 0) return { at, records: values.map(parseRecord) };
  }
  return { at: host, records: [] };
}

async function lookUp(resolver: DnsResolver, name: string) {
  try {
    return await resolver.lookUp(name, 'CAA');
  } catch (cause) {
    if (!(cause instanceof TunnoxError)) throw cause;
    throw new CertificateFault('The DNS resolver cannot be reached now', { cause });
  }
}

/** null: nothing forbids it. */
function faultOf(
  records: readonly CaaRecord[],
  isWildcard: boolean,
  identities: readonly string[],
  challenge: ChallengeType,
): string | null {
  const unknown = records.find(({ critical, tag }) => critical && !KNOWN_TAGS.has(tag));
  if (unknown !== undefined) return `'${unknown.tag}' is marked as critical and not known here`;
  const wild = records.filter(({ tag }) => tag === 'issuewild');
  const [tag, deciding] =
    isWildcard && wild.length > 0 ? ['issuewild', wild] : ['issue', records.filter((one) => one.tag === 'issue')];
  if (deciding.length === 0) return null;
  const allowed = deciding.filter(({ issuer }) =>
    identities.length === 0 ? issuer !== '' : isOneOf(issuer, identities),
  );
  if (allowed.length === 0) {
    const wanted = identities[0] ?? 'the certificate authority';
    const named = deciding.flatMap(({ issuer }) => (issuer === '' ? [] : [issuer])).slice(0, 5);
    return `'${tag}' names ${named.length === 0 ? 'nobody' : named.join(', ')}, and not ${wanted}`;
  }
  const methods = (one: CaaRecord) =>
    one.parameters
      .get('validationmethods')
      ?.split(',')
      .map((method) => method.trim());
  if (allowed.some((one) => methods(one)?.includes(challenge) !== false)) return null;
  return `they allow validation by ${methods(allowed[0] as CaaRecord)?.join(', ') ?? 'nothing'} only, and not by ${challenge}`;
}

function isOneOf(issuer: string, identities: readonly string[]): boolean {
  return identities.some((identity) => identity.toLowerCase() === issuer);
}

/** @param text `flags tag value`, as the resolver gives it. */
function parseRecord(text: string): CaaRecord {
  const [flags = '', tag = ''] = text.split(' ', 2);
  const [issuer = '', ...rest] = text.slice(flags.length + tag.length + 2).split(';');
  const parameters = rest.flatMap((part) => {
    const at = part.indexOf('=');
    return at === -1 ? [] : [[part.slice(0, at).trim().toLowerCase(), part.slice(at + 1).trim()] as const];
  });
  return {
    critical: (Number(flags) & CRITICAL) !== 0,
    tag,
    issuer: issuer.trim().toLowerCase(),
    parameters: new Map(parameters),
  };
}
