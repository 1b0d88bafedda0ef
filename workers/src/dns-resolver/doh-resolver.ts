import { TunnoxError } from '@tunnox/domain/tunnox-error';
import type { DnsAnswer, DnsResolver } from '../services/domain-proof-ports.ts';
import { decodeAnswer, type DnsMessage, encodeQuery, type RecordType } from './dns-message.ts';

export interface DohResolverDeps {
  fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** Evenly distributed integer, 0 ≤ n < `below`. */
  randomInteger: (below: number) => number;
}

export interface DohResolverOptions {
  /** Such as `https://cloudflare-dns.com/dns-query`. */
  url: string;
  timeoutMs?: number;
}

/** A resolver has given up on slow name servers by then, and says so. */
const TIMEOUT_MS = 5000;
/** The most that a DNS message can have. */
const MESSAGE_BYTES_MAX = 65_535;
/** More than the chains that people make; a circle ends here. */
const CNAMES_MAX = 8;
const RETRY_AFTER_S = 30;
const MEDIA_TYPE = 'application/dns-message';

/**
 * DNS over HTTPS, in wire format by POST. Only the configured resolver is ever connected to: names that tenants choose
 * are asked for there, and nothing goes to where they lead.
 *
 * @see RFC 8484
 */
export function createDohResolver(deps: DohResolverDeps, options: DohResolverOptions): DnsResolver {
  const { url, timeoutMs = TIMEOUT_MS } = options;

  async function ask(name: string, type: RecordType, signal: AbortSignal): Promise<DnsMessage | null> {
    // Not 0 as for GET, whose answers are cached by their URL: it shows that an answer belongs to this query.
    const id = deps.randomInteger(0x1_0000);
    const query = encodeQuery(id, name, type);
    if (query === null) return null;
    const response = await deps.fetch(url, {
      method: 'POST',
      headers: { 'content-type': MEDIA_TYPE, accept: MEDIA_TYPE },
      body: Uint8Array.from(query),
      // Where the resolver is, the operator says.
      redirect: 'manual',
      signal,
    });
    const mediaType = response.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase();
    if (response.status !== 200 || mediaType !== MEDIA_TYPE) {
      await response.body?.cancel();
      throw new Error(`The resolver answered with status ${response.status} and ${mediaType ?? 'no type'}`);
    }
    const answer = decodeAnswer(await readBounded(response), { id, name, type });
    if (answer === null) throw new Error('The resolver sent something that is no answer to the query');
    return answer;
  }

  return {
    async lookUp(name, type): Promise<DnsAnswer> {
      const chain: string[] = [];
      const signal = AbortSignal.timeout(timeoutMs);
      try {
        for (let at = name.toLowerCase(); ; at = chain.at(-1) ?? at) {
          const message = await ask(at, type, signal);
          // A target that cannot be asked for.
          if (message === null) return { rcode: 'NOERROR', chain, values: [] };
          const { rcode, records } = message;
          const asked = chain.length;
          const owner = follow(records, at, chain);
          const values = records.flatMap((one) =>
            one.type !== 'CNAME' && one.type === type && one.name === owner ? [one.text] : [],
          );
          // A resolver follows the chain by itself; one that has only its own zones ends where it leaves them.
          const moved = chain.length > asked;
          const done = type === 'CNAME' || values.length > 0 || !moved || rcode !== 'NOERROR';
          if (done || chain.length >= CNAMES_MAX) return { rcode, chain, values };
        }
      } catch (error) {
        throw new TunnoxError('unavailable', 'The DNS resolver cannot be reached now', {
          cause: error,
          retryAfterS: RETRY_AFTER_S,
        });
      }
    },
  };
}

/** Adds the aliases that lead on from `name` to `chain`. @returns The last of them, or `name`. */
function follow(records: DnsMessage['records'], name: string, chain: string[]): string {
  for (let at = name; ;) {
    const alias = records.find((one) => one.type === 'CNAME' && one.name === at);
    if (alias?.type !== 'CNAME' || chain.length >= CNAMES_MAX || alias.target === '') return at;
    at = alias.target;
    chain.push(at);
  }
}

async function readBounded(response: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  const reader = (response.body as ReadableStream<Uint8Array> | null)?.getReader();
  for (let read = await reader?.read(); read !== undefined && !read.done; read = await reader?.read()) {
    size += read.value.length;
    if (size > MESSAGE_BYTES_MAX) {
      await reader?.cancel();
      throw new Error('The resolver sent more than a DNS message can have');
    }
    parts.push(read.value);
  }
  const message = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    message.set(part, at);
    at += part.length;
  }
  return message;
}
