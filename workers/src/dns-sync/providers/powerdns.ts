import { bearsMark, ownershipMark } from '@tunnox/dns-plan/ownership';
import type { ActualRecord } from '@tunnox/dns-plan/plan';
import { z } from 'zod';
import {
  type BatchResult,
  type ProviderAccess,
  type ProviderDriver,
  ProviderError,
  type ZoneChange,
  type ZoneProvider,
} from '../zone-provider.ts';
import { canonicalContent, quoteContent } from './content.ts';

const SERVER = '/api/v1/servers/localhost';
/** Sets of a request; PowerDNS has no limit of its own, its body has (2 MB by default). */
const BATCH_MAX = 500;
/** What `ttl: 1` means here. */
const TTL_DEFAULT_S = 300;
/** Backends that keep comments, in which the marks stand. */
const WITH_COMMENTS = /\bg(?:mysql|pgsql|sqlite3|odbc)\b|\blmdb\b/;

const rrsetSchema = z.object({
  name: z.string(),
  type: z.string(),
  ttl: z.number(),
  records: z.array(z.object({ content: z.string(), disabled: z.boolean().default(false) })).default([]),
  comments: z
    .array(z.object({ content: z.string(), account: z.string().default(''), modified_at: z.number().optional() }))
    .default([]),
});
const zoneSchema = z.object({ id: z.string(), rrsets: z.array(rrsetSchema) });
const zonesSchema = z.array(z.object({ id: z.string(), name: z.string() }));
const configSchema = z.array(z.object({ name: z.string(), value: z.string() }));
const errorSchema = z.object({ error: z.string() });

type Rrset = z.infer<typeof rrsetSchema>;

/**
 * PowerDNS Authoritative, HTTP API. Records of one name and type are one set that is replaced whole: foreign values and
 * comments in it are put back as they were. A comment for each value of ours bears the mark, with the value.
 *
 * @see https://doc.powerdns.com/authoritative/http-api/zone.html
 */
export const powerdns: ProviderDriver = {
  defaultEndpoint: null,
  callsMax: 6000,

  async findZone(access, domain, signal) {
    const config = await call(access, 'GET', `${SERVER}/config`, configSchema, signal);
    const backend = config.find(({ name }) => name === 'launch')?.value ?? '';
    if (!WITH_COMMENTS.test(backend)) {
      throw new ProviderError(
        'zone_missing',
        `This PowerDNS keeps no comments (backend '${backend}'), so records of ours could not be told from others: use gsqlite3, gpgsql, gmysql or lmdb`,
      );
    }
    const query = `?zone=${encodeURIComponent(`${domain}.`)}`;
    const [zone] = await call(access, 'GET', `${SERVER}/zones${query}`, zonesSchema, signal);
    if (zone === undefined) throw new ProviderError('zone_missing', `This PowerDNS has no zone ${domain}`);
    return zone.id;
  },

  open(access, { providerZoneId, tag }): ZoneProvider {
    const path = `${SERVER}/zones/${encodeURIComponent(providerZoneId)}`;
    // Sets as they are: foreign comments, and records that are switched off, must survive.
    const sets = new Map<string, Rrset>();
    const readSet = async (name: string, type: string, signal: AbortSignal): Promise<void> => {
      const query = `?rrset_name=${encodeURIComponent(`${name}.`)}&rrset_type=${encodeURIComponent(type)}`;
      const { rrsets } = await call(access, 'GET', path + query, zoneSchema, signal);
      const found = rrsets.find((set) => nameOf(set) === name && set.type === type);
      const key = `${name} ${type}`;
      if (found === undefined) sets.delete(key);
      else sets.set(key, found);
    };
    return {
      batchMax: BATCH_MAX,

      async list(signal) {
        const { rrsets } = await call(access, 'GET', path, zoneSchema, signal);
        sets.clear();
        for (const set of rrsets) sets.set(`${nameOf(set)} ${set.type}`, set);
        return rrsets.flatMap((set) => toActual(set, tag));
      },

      async applyBatch(changes, _zone, signal): Promise<BatchResult> {
        const groups = Map.groupBy(changes, keyOf);
        // What others have put into a shared set since the list was read must not be lost.
        for (const [key, [first]] of groups) {
          if (first !== undefined && sets.has(key)) await readSet(placeOf(first).name, placeOf(first).type, signal);
        }
        const rrsets = [...groups].map(([key, group]) => replaced(sets.get(key), group, tag));
        await call(access, 'PATCH', path, z.unknown(), signal, { rrsets: rrsets.map(toRequest) });
        for (const set of rrsets) {
          const key = `${nameOf(set)} ${set.type}`;
          if (set.records.length === 0) sets.delete(key);
          else sets.set(key, set);
        }
        return changes.map((change) => (change.kind === 'delete' ? null : idOf(change.record)));
      },
    };
  },
};

/** The set with the changes in it. */
function replaced(set: Rrset | undefined, changes: readonly ZoneChange[], tag: string): Rrset {
  const [first] = changes;
  if (first === undefined) throw new Error('Cannot replace a set without changes');
  const { name, type } = placeOf(first);
  const gone = new Set(changes.flatMap((change) => (change.kind === 'create' ? [] : [change.actual.value])));
  const wished = changes.flatMap((change) => (change.kind === 'delete' ? [] : [change.record]));
  const there = set ?? { name: `${name}.`, type, ttl: TTL_DEFAULT_S, records: [], comments: [] };
  const isGone = (content: string) => gone.has(canonicalContent(type, content, name));
  const isTouched = (content: string) =>
    [...gone, ...wished.map(({ value }) => value)].some((value) => isCommentOf(content, tag, value));
  const [wish] = wished;
  return {
    name: there.name,
    type,
    ttl: wish === undefined ? there.ttl : wish.ttl === 1 ? TTL_DEFAULT_S : wish.ttl,
    records: [
      ...there.records.filter((record) => record.disabled || !isGone(record.content)),
      ...wished.map(({ type: kind, value }) => ({
        content: withDot(kind, quoteContent(kind, value)),
        disabled: false,
      })),
    ],
    comments: [
      ...there.comments.filter(({ content }) => !isTouched(content)),
      ...wished.map(({ comment, value }) => ({ content: `${comment} | ${value}`, account: 'tunnox' })),
    ],
  };
}

function toActual(set: Rrset, tag: string): ActualRecord[] {
  const name = nameOf(set);
  return set.records
    .filter(({ disabled }) => !disabled)
    .map(({ content }) => {
      const value = canonicalContent(set.type, content, name);
      const owned = set.comments.some((comment) => isCommentOf(comment.content, tag, value));
      const id = idOf({ name, type: set.type, value });
      return { id, type: set.type, name, value, ttl: set.ttl, proxied: null, owned };
    });
}

function isCommentOf(content: string, tag: string, value: string): boolean {
  return content.startsWith(ownershipMark(tag)) && bearsMark(content, tag) && content.endsWith(` | ${value}`);
}

/** `REPLACE` with no records deletes the set with its comments. */
function toRequest({ name, type, ttl, records, comments }: Rrset): object {
  if (records.length === 0) return { name, type, changetype: 'DELETE' };
  return { name, type, ttl, changetype: 'REPLACE', records, comments };
}

/** Names in values are absolute there. */
function withDot(type: string, content: string): string {
  return type === 'CNAME' || type === 'MX' || type === 'SRV' ? `${content}.` : content;
}

function placeOf(change: ZoneChange): { name: string; type: string } {
  return change.kind === 'delete' ? change.actual : change.record;
}

function keyOf(change: ZoneChange): string {
  const { name, type } = placeOf(change);
  return `${name} ${type}`;
}

/** It has no ids: what a record says is what it is. */
function idOf({ name, type, value }: { name: string; type: string; value: string }): string {
  return `${name}/${type}/${value}`;
}

function nameOf({ name }: Rrset): string {
  return name.replace(/\.$/, '').toLowerCase();
}

async function call<T>(
  { endpoint, token, fetch }: ProviderAccess,
  method: 'GET' | 'PATCH',
  path: string,
  schema: z.ZodType<T>,
  signal: AbortSignal,
  body?: object,
): Promise<T> {
  const headers = { 'x-api-key': token, accept: 'application/json', 'content-type': 'application/json' };
  const response = await fetch(endpoint + path, {
    ...{ method, headers, signal },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const answer = tryParse(text);
  if (!response.ok) throw errorOf(response, answer);
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new ProviderError('unreachable', 'Something answers that is not the API of PowerDNS: check the endpoint', {
    cause: parsed.error,
  });
}

function errorOf({ status, headers }: Response, answer: unknown): ProviderError {
  const said = errorSchema.safeParse(answer).data?.error;
  const why = said === undefined ? `status ${status}` : said.trim();
  const retryAfter = Number(headers.get('retry-after') ?? Number.NaN);
  if (status === 401 || status === 403)
    return new ProviderError('unauthorized', `PowerDNS does not accept the key (${why})`);
  if (status === 404) return new ProviderError('zone_missing', `PowerDNS does not have this zone (${why})`);
  if (status === 429) {
    return new ProviderError('rate_limited', 'PowerDNS asks to wait', {
      retryAfterS: Number.isFinite(retryAfter) ? retryAfter : 60,
    });
  }
  if (status >= 500) return new ProviderError('unreachable', `PowerDNS is not working at the moment (${why})`);
  return new ProviderError('rejected', `PowerDNS does not take this: ${why}`);
}

function tryParse(text: string): unknown {
  try {
    return text === '' ? null : JSON.parse(text);
  } catch {
    return undefined;
  }
}
