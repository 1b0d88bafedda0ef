import { bearsMark } from '@tunnox/dns-plan/ownership';
import type { ActualRecord } from '@tunnox/dns-plan/plan';
import { isWithin } from '@tunnox/domain/host-name';
import { z } from 'zod';
import {
  type BatchResult,
  type ProviderDriver,
  ProviderError,
  type WishedRecord,
  type ZoneChange,
  type ZoneProvider,
} from '../zone-provider.ts';
import { callCloudflare } from './cloudflare-call.ts';
import { canonicalContent, quoteContent } from './content.ts';

/** A batch of the free plan; larger plans take 3 500. */
const BATCH_MAX = 200;
/** Records of a page: a zone of 10 000 is ten calls. */
const PAGE_SIZE = 1000;
/** A comment on the free plan. */
const COMMENT_LENGTH_MAX = 100;
/** Listings of a zone that others change meanwhile. */
const LISTINGS_MAX = 2;

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
  result_info: z.object({ total_pages: z.number(), total_count: z.number() }),
});
const batchSchema = z.object({ result: z.object({ posts: z.array(z.object({ id: z.string() })).nullish() }) });
const zoneSchema = z.object({ id: z.string(), name: z.string() });
const zonesSchema = z.object({ result: z.array(zoneSchema) });

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

  async findZone(access, { domain, id }, signal) {
    if (id === null) {
      const path = `/zones?name=${encodeURIComponent(domain)}`;
      const { result } = await callCloudflare(access, 'GET', path, zonesSchema, signal);
      const found = result.find((zone) => zone.name === domain);
      if (found !== undefined) return found.id;
      throw new ProviderError('zone_missing', `Cloudflare has no zone ${domain} that this token may read`);
    }
    // A token for records alone may not read zones; what stands in the zone tells whose it is.
    const path = `${pathOf(id)}?per_page=5`;
    const { result } = await callCloudflare(access, 'GET', path, pageSchema, signal);
    requireWithin(result, domain);
    return id;
  },

  open(access, { domain, providerZoneId, tag }): ZoneProvider {
    const path = pathOf(providerZoneId);
    const listPages = async (filter: string, signal: AbortSignal) => {
      const records = new Map<string, ActualRecord>();
      const totals = new Set<number>();
      for (let page = 1; ; page += 1) {
        const query = `?page=${page}&per_page=${PAGE_SIZE}&order=name&direction=asc${filter}`;
        const { result, result_info } = await callCloudflare(access, 'GET', path + query, pageSchema, signal);
        requireWithin(result, domain);
        for (const record of result) records.set(record.id, toActual(record, tag));
        totals.add(result_info.total_count);
        if (page < result_info.total_pages) continue;
        return { records: [...records.values()], isSteady: totals.size === 1 && totals.has(records.size) };
      }
    };
    return {
      batchMax: BATCH_MAX,

      async list(signal) {
        for (let tries = 1; ; tries += 1) {
          const { records, isSteady } = await listPages('', signal);
          // Pages shift while others make and remove records: one may have slipped from page to page unseen.
          if (isSteady || tries === LISTINGS_MAX) return records;
        }
      },

      async find(names, signal) {
        const found: ActualRecord[] = [];
        for (const name of names) {
          found.push(...(await listPages(`&name.exact=${encodeURIComponent(name)}`, signal)).records);
        }
        return found;
      },

      async applyBatch(changes, signal) {
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
        const { result } = await callCloudflare(access, 'POST', `${path}/batch`, batchSchema, signal, body);
        return idsOf(changes, result.posts ?? []);
      },
    };
  },
};

function pathOf(providerZoneId: string): string {
  return `/zones/${encodeURIComponent(providerZoneId)}/dns_records`;
}

/** An id that was mistyped, or that a zone had before: its records are not ours to plan with. */
function requireWithin(records: { name: string }[], domain: string): void {
  const outside = records.find(({ name }) => !isWithin(name.toLowerCase(), domain));
  if (outside === undefined) return;
  throw new ProviderError(
    'zone_missing',
    `The zone with this id at Cloudflare is not ${domain}: it has ${outside.name}`,
  );
}

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
