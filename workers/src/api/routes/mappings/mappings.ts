import { createRoute } from '@hono/zod-openapi';
import { pageQuerySchema } from '@tunnox/domain/api/common';
import {
  createMappingSchema,
  deliveredMappingSchema,
  mappingSchema,
  mappingsPageSchema,
  updateMappingSchema,
} from '@tunnox/domain/api/mappings';
import { z } from 'zod';
import type { MappingService } from '../../../services/mapping-service.ts';
import { createRouter } from '../../context.ts';
import { ifMatch, ifVersionOf, withETag } from '../../etag.ts';
import { idSchema } from '../../id-schema.ts';
import { body, json, noContent, problems } from '../../responses.ts';

const params = z.object({ mapping_id: idSchema });
const filters = pageQuerySchema.extend({ protocol: z.enum(['tcp', 'udp', 'http', 'socks5']).optional() });
const page = json(mappingsPageSchema, 'A page of mappings, in the order of their ids');

const createMapping = createRoute({
  operationId: 'createMapping',
  method: 'post',
  path: '/mappings',
  tags: ['mappings'],
  summary: 'Make a public port, or a private mapping from a source client',
  request: {
    body: body(createMappingSchema, {
      name: 'database',
      target_client_id: 600000001,
      target_host: '127.0.0.1',
      target_port: 5432,
    }),
  },
  responses: {
    201: json(deliveredMappingSchema, 'The mapping, and how far it has come at its agents', { headers: ['ETag'] }),
    ...problems('not_found', 'login_required', 'quota_exceeded', 'port_taken', 'conflict'),
  },
});

const listMappings = createRoute({
  operationId: 'listMappings',
  method: 'get',
  path: '/mappings',
  tags: ['mappings'],
  summary: 'List mappings',
  request: {
    query: filters.extend({
      ...{ user_id: idSchema.optional(), namespace_id: idSchema.optional(), client_id: idSchema.optional() },
    }),
  },
  responses: { 200: page },
});

const listUserMappings = createRoute({
  operationId: 'listUserMappings',
  method: 'get',
  path: '/users/{user_id}/mappings',
  tags: ['mappings'],
  summary: 'List the mappings of a user',
  request: { params: z.object({ user_id: idSchema }), query: filters },
  responses: { 200: page, ...problems('not_found') },
});

const listClientMappings = createRoute({
  operationId: 'listClientMappings',
  method: 'get',
  path: '/clients/{client_id}/mappings',
  tags: ['mappings'],
  summary: 'List the mappings of which a client is source or target',
  request: { params: z.object({ client_id: idSchema }), query: filters },
  responses: { 200: page, ...problems('not_found') },
});

const getMapping = createRoute({
  operationId: 'getMapping',
  method: 'get',
  path: '/mappings/{mapping_id}',
  tags: ['mappings'],
  summary: 'Read a mapping',
  request: { params },
  responses: { 200: json(mappingSchema, 'The mapping', { headers: ['ETag'] }), ...problems('not_found') },
});

const updateMapping = createRoute({
  operationId: 'updateMapping',
  method: 'put',
  path: '/mappings/{mapping_id}',
  tags: ['mappings'],
  summary: 'Change a mapping',
  request: {
    params,
    headers: ifMatch,
    body: body(updateMappingSchema, { target_port: 5433, access: { allow: ['203.0.113.0/24'], deny: [] } }),
  },
  responses: {
    200: json(deliveredMappingSchema, 'The mapping, and how far the change has come', { headers: ['ETag'] }),
    ...problems('not_found', 'port_taken', 'conflict', 'quota_exceeded'),
  },
});

const deleteMapping = createRoute({
  operationId: 'deleteMapping',
  method: 'delete',
  path: '/mappings/{mapping_id}',
  tags: ['mappings'],
  summary: 'Delete a mapping',
  request: { params, headers: ifMatch },
  responses: { 204: noContent, ...problems('not_found') },
});

/** Port mappings. */
export function mappingsRoutes(mappings: MappingService) {
  return createRouter()
    .openapi(createMapping, async (c) =>
      c.json(withETag(c, await mappings.create(c.get('caller'), c.req.valid('json'))), 201),
    )
    .openapi(listMappings, async (c) => {
      const { user_id: userId, namespace_id: namespaceId, client_id: clientId, ...query } = c.req.valid('query');
      return c.json(await mappings.list(c.get('caller'), { ...query, userId, namespaceId, clientId }), 200);
    })
    .openapi(listUserMappings, async (c) => {
      const userId = c.req.valid('param').user_id;
      return c.json(await mappings.listOfUser(c.get('caller'), userId, c.req.valid('query')), 200);
    })
    .openapi(listClientMappings, async (c) => {
      const clientId = c.req.valid('param').client_id;
      return c.json(await mappings.listOfClient(c.get('caller'), clientId, c.req.valid('query')), 200);
    })
    .openapi(getMapping, async (c) =>
      c.json(withETag(c, await mappings.find(c.get('caller'), c.req.valid('param').mapping_id)), 200),
    )
    .openapi(updateMapping, async (c) => {
      const { mapping_id } = c.req.valid('param');
      const mapping = await mappings.update(c.get('caller'), mapping_id, c.req.valid('json'), ifVersionOf(c));
      return c.json(withETag(c, mapping), 200);
    })
    .openapi(deleteMapping, async (c) => {
      await mappings.remove(c.get('caller'), c.req.valid('param').mapping_id, ifVersionOf(c));
      return c.body(null, 204);
    });
}
