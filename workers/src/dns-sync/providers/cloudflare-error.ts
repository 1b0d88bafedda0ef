import { z } from 'zod';
import { ProviderError } from '../zone-provider.ts';

const faultSchema = z.object({ code: z.number(), message: z.string() });
const errorSchema = z.object({
  errors: z.array(faultSchema.extend({ error_chain: z.array(faultSchema).default([]) })).default([]),
});
/** Codes that say nothing by themselves: what they mean stands in their chain. */
const GENERAL = new Set([1004, 6003, 7003]);

/** Codes that people meet, in plain sentences. */
const SENTENCES: Record<number, string> = {
  1004: 'Cloudflare does not take this record: its content does not fit its type',
  6003: 'Cloudflare could not read the token: check that it was copied whole',
  6111: 'Cloudflare could not read the token: check that it was copied whole',
  7000: 'Cloudflare has no zone with this id for this token',
  7003: 'Cloudflare has no zone with this id for this token',
  9000: 'Cloudflare does not take this name',
  9004: 'Cloudflare proxies A, AAAA and CNAME records only',
  9005: 'Cloudflare does not take this address: an A record holds an IPv4 address',
  9006: 'Cloudflare does not take this address: an AAAA record holds an IPv6 address',
  9007: 'Cloudflare does not take this value: a CNAME holds a host name',
  9021: 'Cloudflare does not take this TTL: 1 (automatic) or 60 to 86400 seconds',
  9103: 'Cloudflare does not know this token: make a new one, or check that it was copied whole',
  9109: 'Cloudflare does not accept this token for this zone: it needs the permission Zone / DNS / Edit',
  10000: 'Cloudflare does not accept this token: it is revoked, has ended, or lacks the permission Zone / DNS / Edit',
  81044: 'Cloudflare no longer has this record',
  81045: "The zone's number of records at Cloudflare is used up: remove some, or change its plan",
  81053: 'Cloudflare has an A, AAAA or CNAME record of this name already, and they exclude each other',
  81054: 'Cloudflare has a CNAME of this name already, and nothing can stand beside it',
  81057: 'Cloudflare has this very record already',
  81058: 'Cloudflare has this very record already',
};
const TOKEN = new Set([6003, 6103, 6111, 9103, 9106, 9109, 10000]);
const ZONE = new Set([7000, 7003]);

/** What an answer that is no success means. */
export function cloudflareError(status: number, retryAfter: string | null, answer: unknown): ProviderError {
  const [outer] = errorSchema.safeParse(answer).data?.errors ?? [];
  const first = outer !== undefined && GENERAL.has(outer.code) ? (outer.error_chain[0] ?? outer) : outer;
  const retryAfterS = retryAfter !== null && /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) : null;
  if (status === 429) {
    const wait = retryAfterS ?? 300;
    const message = `Cloudflare asks to wait for ${wait} s: the calls of this token in five minutes are used up`;
    return new ProviderError('rate_limited', message, { retryAfterS: wait });
  }
  if (status >= 500) {
    return new ProviderError('unreachable', `Cloudflare is not working at the moment (status ${status})`, {
      ...(retryAfterS === null ? {} : { retryAfterS }),
    });
  }
  const known = first === undefined ? undefined : SENTENCES[first.code];
  const code = first === undefined ? `status ${status}` : `code ${first.code}`;
  const said = known ?? `Cloudflare does not take this: ${saidBy(first?.message)}`;
  const message = `${said} (${code})`;
  if (status === 401 || (first !== undefined && TOKEN.has(first.code)))
    return new ProviderError('unauthorized', message);
  if (first !== undefined && ZONE.has(first.code)) return new ProviderError('zone_missing', message);
  if (status === 403) return new ProviderError('unauthorized', message);
  return new ProviderError('rejected', message);
}

/** Its own words, bounded: they are shown to people. */
function saidBy(message: string | undefined): string {
  return message === undefined ? 'it does not say why' : message.slice(0, 300);
}
