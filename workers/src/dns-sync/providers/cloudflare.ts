import { bearsMark } from '@tunnox/dns-plan/ownership';
import type { ActualRecord } from '@tunnox/dns-plan/plan';
import { z } from 'zod';
import {
  type BatchResult,
  type ProviderAccess,
  type ProviderDriver,
  ProviderError,
  type WishedRecord,
  type ZoneChange,
  type ZoneProvider,
} from '../zone-provider.ts';
import { canonicalContent, quoteContent } from './content.ts';
import { cloudflareError } from './cloudflare-error.ts';

/** A batch of the free plan; larger plans take 3 500. */
const BATCH_MAX = 200;
/** Records of a page: a zone of 10 000 is ten calls. */
const PAGE_SIZE = 1000;
/** A comment on the free plan. */
const COMMENT_LENGTH_MAX = 100;

const recordSchema = z.object({
  id: z.string(),
  type: z.string(),
  name: z.string(),
  content: z.string().default(''),
  ttl: z.number(),
  proxied: z.boolean().optional(),
  comment: z.string().nullish(),
});
const pageSchema = z.object({
  result: z.array(recordSchema),
  result_info: z.object({ page: z.number(), total_pages: z.number() }),
});
const batchSchema = z.object({
  result: z.object({
    patches: z.array(z.object({ id: z.string() })).nullish(),
    posts: z.array(z.object({ id: z.string() })).nullish(),
  }),
});
const zonesSchema = z.object({ result: z.array(z.object({ id: z.string(), name: z.string() })) });

/**
 * Cloudflare, API v4. The mark stands in the record's comment. A batch is one transaction: deletes, then patches, then
 * posts.
 *
 * @see https://developers.cloudflare.com/api/resources/dns/subresources/records/methods/batch/
 * @see https://developers.cloudflare.com/fundamentals/api/reference/limits/
 */
export const cloudflare: ProviderDriver = {
  defaultEndpoint: 'https://api.cloudflare.com/client/v4',
  callsMax: 1200,

  async findZone(access, domain, signal) {
    const { result } = await call(access, 'GET', `/zones?name=${encodeURIComponent(domain)}`, zonesSchema, signal);
    const found = result.find((zone) => zone.name === domain);
    if (found !== undefined) return found.id;
    throw new ProviderError('zone_missing', `Cloudflare has no zone ${domain} that this token may read`);
  },

  open(access, { providerZoneId, tag }): ZoneProvider {
    const path = `/zones/${encodeURIComponent(providerZoneId)}/dns_records`;
    return {
      batchMax: BATCH_MAX,

      async list(signal) {
        const records: ActualRecord[] = [];
        for (let page = 1; ; page += 1) {
          const query = `?page=${page}&per_page=${PAGE_SIZE}&order=name&direction=asc`;
          const { result, result_info } = await call(access, 'GET', path + query, pageSchema, signal);
          records.push(...result.map((record) => toActual(record, tag)));
          if (page >= result_info.total_pages) return unrepeated(records);
        }
      },

      async applyBatch(changes, _zone, signal) {
        const deletes = changes.flatMap((change) => (change.kind === 'delete' ? [{ id: change.actual.id }] : []));
        const patches = changes.flatMap((change) =>
          change.kind === 'update' ? [{ id: change.actual.id, ...toBody(change.record) }] : [],
        );
        const posts = changes.flatMap((change) => (change.kind === 'create' ? [toBody(change.record)] : []));
        const body = {
          ...(deletes.length === 0 ? {} : { deletes }),
          ...(patches.length === 0 ? {} : { patches }),
          ...(posts.length === 0 ? {} : { posts }),
        };
        const { result } = await call(access, 'POST', `${path}/batch`, batchSchema, signal, body);
        return idsOf(changes, result.posts ?? []);
      },
    };
  },
};

function toActual(record: z.infer<typeof recordSchema>, tag: string): ActualRecord {
  const { id, type, ttl, proxied, comment } = record;
  const name = record.name.toLowerCase();
  const value = canonicalContent(type, record.content, name);
  return { id, type, name, value, ttl, proxied: proxied ?? null, owned: bearsMark(comment, tag) };
}

function toBody({ type, name, value, ttl, proxied, comment }: WishedRecord): object {
  return {
    ...{ type, name, content: quoteContent(type, value), ttl, comment: comment.slice(0, COMMENT_LENGTH_MAX) },
    ...(proxied === null ? {} : { proxied }),
  };
}

/** The records that were made come back in the order in which they were asked for. */
function idsOf(changes: readonly ZoneChange[], posts: { id: string }[]): BatchResult {
  let made = 0;
  return changes.map((change) => {
    switch (change.kind) {
      case 'create': {
        const id = posts[made]?.id;
        made += 1;
        if (id === undefined) throw new ProviderError('unreachable', 'Cloudflare did not say what it has made');
        return id;
      }
      case 'update':
        return change.actual.id;
      case 'delete':
        return null;
    }
  });
}

/** Pages shift while records are made: what was on two of them counts once. */
function unrepeated(records: ActualRecord[]): ActualRecord[] {
  return [...new Map(records.map((record) => [record.id, record])).values()];
}

async function call<T>(
  { endpoint, token, fetch }: ProviderAccess,
  method: 'GET' | 'POST',
  path: string,
  schema: z.ZodType<T>,
  signal: AbortSignal,
  body?: object,
): Promise<T> {
  const headers = { authorization: `Bearer ${token}`, accept: 'application/json', 'content-type': 'application/json' };
  const response = await fetch(endpoint + path, {
    ...{ method, headers, signal },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer: unknown = await response.json().catch(() => null);
  if (!response.ok) throw cloudflareError(response.status, response.headers.get('retry-after'), answer);
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new ProviderError('unreachable', 'Cloudflare has answered something that is not its API', {
    cause: parsed.error,
  });
}
