import { createRoute } from '@hono/zod-openapi';
import { pageQuerySchema } from '@tunnox/domain/api/common';
import { putReservedNameSchema, reservedNameSchema, reservedNamesPageSchema } from '@tunnox/domain/api/reserved-names';
import { z } from 'zod';
import type { ReservedNameService } from '../../../services/reserved-name-service.ts';
import { createRouter } from '../../context.ts';
import { body, json, noContent, problems } from '../../responses.ts';

const params = z.object({ name: z.string().min(1).max(253) });

const listReservedNames = createRoute({
  operationId: 'listReservedNames',
  method: 'get',
  path: '/reserved-names',
  tags: ['domains'],
  summary: 'List names that are kept back, those in quarantine too (operators)',
  request: { query: pageQuerySchema },
  responses: { 200: json(reservedNamesPageSchema, 'A page of names, in their order') },
});

const putReservedName = createRoute({
  operationId: 'putReservedName',
  method: 'put',
  path: '/reserved-names/{name}',
  tags: ['domains'],
  summary: 'Keep a name back, for ever or for a time, from everybody or for one user (operators)',
  request: { params, body: body(putReservedNameSchema, { reason: 'a trade mark' }) },
  responses: { 200: json(reservedNameSchema, 'The name as it is kept now') },
});

const deleteReservedName = createRoute({
  operationId: 'deleteReservedName',
  method: 'delete',
  path: '/reserved-names/{name}',
  tags: ['domains'],
  summary: 'Give a name free that was kept back (operators)',
  request: { params },
  responses: { 204: noContent, ...problems('not_found') },
});

/** Names that are kept back. */
export function reservedNamesRoutes(names: ReservedNameService) {
  return createRouter()
    .openapi(listReservedNames, async (c) => c.json(await names.list(c.get('caller'), c.req.valid('query')), 200))
    .openapi(putReservedName, async (c) =>
      c.json(await names.put(c.get('caller'), c.req.valid('param').name, c.req.valid('json')), 200),
    )
    .openapi(deleteReservedName, async (c) => {
      await names.remove(c.get('caller'), c.req.valid('param').name);
      return c.body(null, 204);
    });
}
