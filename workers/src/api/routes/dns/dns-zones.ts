import { createRoute } from '@hono/zod-openapi';
import { pageQuerySchema } from '@tunnox/domain/api/common';
import {
  createDnsZoneSchema,
  dnsRunSchema,
  dnsRunsPageSchema,
  dnsZoneSchema,
  dnsZonesPageSchema,
  reconcileQuerySchema,
  updateDnsZoneSchema,
} from '@tunnox/domain/api/dns';
import { z } from 'zod';
import type { DnsZoneService } from '../../../services/dns-zone-service.ts';
import { createRouter } from '../../context.ts';
import { ifMatch, ifVersionOf, withETag } from '../../etag.ts';
import { idSchema } from '../../id-schema.ts';
import { body, json, noContent, problems } from '../../responses.ts';

const params = z.object({ zone_id: idSchema });
const tags = ['dns'];

const createZone = createRoute({
  operationId: 'createDnsZone',
  method: 'post',
  path: '/dns/zones',
  tags,
  summary: 'Let the records of a domain be reconciled',
  request: { body: body(createDnsZoneSchema, { domain: 'example.com', credential_id: 1, policy: 'dry_run' }) },
  responses: {
    201: json(dnsZoneSchema, 'The zone', { headers: ['ETag'] }),
    ...problems('not_found', 'conflict'),
  },
});

const listZones = createRoute({
  operationId: 'listDnsZones',
  method: 'get',
  path: '/dns/zones',
  tags,
  summary: 'List zones',
  request: { query: pageQuerySchema },
  responses: { 200: json(dnsZonesPageSchema, 'A page of zones, in the order of their ids') },
});

const getZone = createRoute({
  operationId: 'getDnsZone',
  method: 'get',
  path: '/dns/zones/{zone_id}',
  tags,
  summary: 'Read a zone',
  request: { params },
  responses: { 200: json(dnsZoneSchema, 'The zone', { headers: ['ETag'] }), ...problems('not_found') },
});

const updateZone = createRoute({
  operationId: 'updateDnsZone',
  method: 'put',
  path: '/dns/zones/{zone_id}',
  tags,
  summary: "Change a zone's policy, guard or credential",
  request: { params, headers: ifMatch, body: body(updateDnsZoneSchema, { policy: 'sync' }) },
  responses: { 200: json(dnsZoneSchema, 'The zone', { headers: ['ETag'] }), ...problems('not_found') },
});

const deleteZone = createRoute({
  operationId: 'deleteDnsZone',
  method: 'delete',
  path: '/dns/zones/{zone_id}',
  tags,
  summary: 'Let a zone be; records that were made stay at the provider only if that is asked for',
  request: { params, headers: ifMatch, query: z.object({ leave_records: z.enum(['true', 'false']).optional() }) },
  responses: { 204: noContent, ...problems('not_found', 'conflict') },
});

const reconcileZone = createRoute({
  operationId: 'reconcileDnsZone',
  method: 'post',
  path: '/dns/zones/{zone_id}/reconcile',
  tags,
  summary: 'Go over the whole zone now, or show what that would do',
  request: { params, query: reconcileQuerySchema },
  responses: { 200: json(dnsRunSchema, 'The run, with its plan'), ...problems('not_found') },
});

const listRuns = createRoute({
  operationId: 'listDnsRuns',
  method: 'get',
  path: '/dns/zones/{zone_id}/runs',
  tags,
  summary: 'List what was planned and done',
  request: { params, query: pageQuerySchema },
  responses: { 200: json(dnsRunsPageSchema, 'A page of runs, the newest first'), ...problems('not_found') },
});

/** Zones and runs over them. */
export function dnsZonesRoutes(zones: DnsZoneService) {
  return createRouter()
    .openapi(createZone, async (c) =>
      c.json(withETag(c, await zones.create(c.get('caller'), c.req.valid('json'))), 201),
    )
    .openapi(listZones, async (c) => c.json(await zones.list(c.get('caller'), c.req.valid('query')), 200))
    .openapi(getZone, async (c) =>
      c.json(withETag(c, await zones.find(c.get('caller'), c.req.valid('param').zone_id)), 200),
    )
    .openapi(updateZone, async (c) => {
      const { zone_id } = c.req.valid('param');
      return c.json(
        withETag(c, await zones.update(c.get('caller'), zone_id, c.req.valid('json'), ifVersionOf(c))),
        200,
      );
    })
    .openapi(deleteZone, async (c) => {
      const leave = c.req.valid('query').leave_records === 'true';
      await zones.remove(c.get('caller'), c.req.valid('param').zone_id, leave, ifVersionOf(c));
      return c.body(null, 204);
    })
    .openapi(reconcileZone, async (c) => {
      const { dry_run, confirm, adopt } = c.req.valid('query');
      const kind = dry_run === 'true' ? ('dry_run' as const) : ('asked' as const);
      const wish = { kind, confirm, adoptIdentical: adopt === 'identical' };
      return c.json(await zones.reconcile(c.get('caller'), c.req.valid('param').zone_id, wish), 200);
    })
    .openapi(listRuns, async (c) =>
      c.json(await zones.runs(c.get('caller'), c.req.valid('param').zone_id, c.req.valid('query')), 200),
    );
}
