import { createRoute } from '@hono/zod-openapi';
import {
  affectedSchema,
  createDnsRecordSchema,
  deleteDnsRecordsSchema,
  dnsRecordSchema,
  dnsRecordsPageSchema,
  dnsRecordsQuerySchema,
} from '@tunnox/domain/api/dns';
import { z } from 'zod';
import type { DnsRecordService } from '../../../services/dns-record-service.ts';
import { createRouter } from '../../context.ts';
import { idSchema } from '../../id-schema.ts';
import { body, json, problems } from '../../responses.ts';

const params = z.object({ record_id: idSchema });
const tags = ['dns'];

const createRecord = createRoute({
  operationId: 'createDnsRecord',
  method: 'post',
  path: '/dns/records',
  tags,
  summary: 'Want a record; it is made at the provider by the next run',
  request: {
    body: body(createDnsRecordSchema, { zone_id: 1, type: 'A', name: 'www', value: '203.0.113.7', ttl: 300 }),
  },
  responses: {
    201: json(dnsRecordSchema, 'The record, pending'),
    ...problems('not_found', 'conflict', 'quota_exceeded'),
  },
});

const listRecords = createRoute({
  operationId: 'listDnsRecords',
  method: 'get',
  path: '/dns/records',
  tags,
  summary: 'List records',
  request: { query: dnsRecordsQuerySchema },
  responses: { 200: json(dnsRecordsPageSchema, 'A page of records, in the order of their ids') },
});

const getRecord = createRoute({
  operationId: 'getDnsRecord',
  method: 'get',
  path: '/dns/records/{record_id}',
  tags,
  summary: 'Read a record',
  request: { params },
  responses: { 200: json(dnsRecordSchema, 'The record'), ...problems('not_found') },
});

const deleteRecord = createRoute({
  operationId: 'deleteDnsRecord',
  method: 'delete',
  path: '/dns/records/{record_id}',
  tags,
  summary: 'Mark a record for deletion; it goes once the provider has confirmed it',
  request: { params },
  responses: { 202: json(dnsRecordSchema, 'The record, to be absent'), ...problems('not_found', 'conflict') },
});

const deleteRecords = createRoute({
  operationId: 'deleteDnsRecords',
  method: 'post',
  path: '/dns/records/delete',
  tags,
  summary: 'Mark several records for deletion',
  request: { body: body(deleteDnsRecordsSchema, { ids: [1, 2] }) },
  responses: { 200: json(affectedSchema, 'How many were marked that were not before') },
});

const retryRecord = createRoute({
  operationId: 'retryDnsRecord',
  method: 'post',
  path: '/dns/records/{record_id}/retry',
  tags,
  summary: 'Try a record now, with its tries counted anew',
  request: { params },
  responses: { 200: json(dnsRecordSchema, 'The record, pending'), ...problems('not_found') },
});

/** Records as they shall be. */
export function dnsRecordsRoutes(records: DnsRecordService) {
  return createRouter()
    .openapi(createRecord, async (c) => c.json(await records.create(c.get('caller'), c.req.valid('json')), 201))
    .openapi(listRecords, async (c) => c.json(await records.list(c.get('caller'), c.req.valid('query')), 200))
    .openapi(deleteRecords, async (c) =>
      c.json(await records.removeMany(c.get('caller'), c.req.valid('json').ids), 200),
    )
    .openapi(getRecord, async (c) => c.json(await records.find(c.get('caller'), c.req.valid('param').record_id), 200))
    .openapi(deleteRecord, async (c) =>
      c.json(await records.remove(c.get('caller'), c.req.valid('param').record_id), 202),
    )
    .openapi(retryRecord, async (c) =>
      c.json(await records.retry(c.get('caller'), c.req.valid('param').record_id), 200),
    );
}
