import { createRoute } from '@hono/zod-openapi';
import { pageQuerySchema } from '@tunnox/domain/api/common';
import { routeSchema, routesPageSchema } from '@tunnox/domain/api/routes';
import { z } from 'zod';
import type { RouteService } from '../../../services/route-service.ts';
import { createRouter } from '../../context.ts';
import { json, problems } from '../../responses.ts';

const listRoutes = createRoute({
  operationId: 'listRoutes',
  method: 'get',
  path: '/routes',
  tags: ['routes'],
  summary: 'List public endpoints and where their clients are',
  request: { query: pageQuerySchema },
  responses: { 200: json(routesPageSchema, 'A page of routes, in the order of their endpoints') },
});

const lookup = createRoute({
  operationId: 'lookUpDomain',
  method: 'get',
  path: '/domains/lookup',
  tags: ['routes'],
  summary: 'Look a host name or another endpoint up',
  request: {
    query: z
      .object({ host: z.string().min(1).max(280).optional(), endpoint: z.string().min(1).max(280).optional() })
      .refine((query) => (query.host === undefined) !== (query.endpoint === undefined), {
        message: 'must be given, or else endpoint',
        path: ['host'],
      }),
  },
  responses: { 200: json(routeSchema, 'The route'), ...problems('not_found') },
});

/** Routes: endpoints joined with presences. */
export function routesRoutes(routes: RouteService) {
  return createRouter()
    .openapi(listRoutes, async (c) => c.json(await routes.list(c.get('caller'), c.req.valid('query')), 200))
    .openapi(lookup, async (c) => c.json(await routes.lookup(c.get('caller'), c.req.valid('query')), 200));
}
