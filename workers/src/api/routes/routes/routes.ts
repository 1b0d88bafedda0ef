import { createRoute } from '@hono/zod-openapi';
import { pageQuerySchema } from '@tunnox/domain/api/common';
import {
  createdRoutesSchema,
  createRouteSchema,
  createRoutesSchema,
  deliveredRouteSchema,
  routeSchema,
  routesPageSchema,
} from '@tunnox/domain/api/routes';
import { z } from 'zod';
import type { RouteService } from '../../../services/route-service.ts';
import { createRouter } from '../../context.ts';
import { body, json, noContent, problems } from '../../responses.ts';

const listRoutes = createRoute({
  operationId: 'listRoutes',
  method: 'get',
  path: '/routes',
  tags: ['routes'],
  summary: 'List public endpoints and where their clients are',
  request: { query: pageQuerySchema },
  responses: {
    200: json(
      routesPageSchema,
      'A page of routes, in the order of their endpoints; `total` of a walk by cursor is that of its beginning',
    ),
  },
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

const createRouteOperation = createRoute({
  operationId: 'createRoute',
  method: 'post',
  path: '/routes',
  tags: ['routes'],
  summary: 'Bind an endpoint to a client for a time, or until its agent is detached',
  request: {
    body: body(createRouteSchema, {
      endpoint: 'preview-17.example.com',
      client_id: 600000001,
      target_host: '127.0.0.1',
      target_port: 3000,
      ttl_seconds: 3600,
    }),
  },
  responses: {
    201: json(deliveredRouteSchema, 'The route, and how far it has come at its agent'),
    ...problems('not_found', 'login_required', 'quota_exceeded', 'endpoint_taken', 'name_invalid', 'conflict'),
  },
});

const createRoutes = createRoute({
  operationId: 'createRoutes',
  method: 'post',
  path: '/routes/batch',
  tags: ['routes'],
  summary: 'Make up to 500 routes at once; each for itself is made or refused',
  request: {
    body: body(createRoutesSchema, {
      routes: [{ endpoint: 'preview-17.example.com', client_id: 600000001, target_port: 3000, ttl_seconds: 3600 }],
    }),
  },
  responses: { 200: json(createdRoutesSchema, 'What became of each, in the order of the request') },
});

const params = z.object({ name: z.string().min(1).max(280) });

const getRoute = createRoute({
  operationId: 'getRoute',
  method: 'get',
  path: '/routes/{name}',
  tags: ['routes'],
  summary: 'Read a route by its endpoint',
  request: { params },
  responses: { 200: json(routeSchema, 'The route'), ...problems('not_found') },
});

const deleteRoute = createRoute({
  operationId: 'deleteRoute',
  method: 'delete',
  path: '/routes/{name}',
  tags: ['routes'],
  summary: 'End a route; a domain or a mapping is deleted as such',
  request: { params },
  responses: { 204: noContent, ...problems('not_found', 'conflict') },
});

/** Routes: endpoints joined with presences. */
export function routesRoutes(routes: RouteService) {
  return createRouter()
    .openapi(listRoutes, async (c) => c.json(await routes.list(c.get('caller'), c.req.valid('query')), 200))
    .openapi(createRouteOperation, async (c) => c.json(await routes.create(c.get('caller'), c.req.valid('json')), 201))
    .openapi(createRoutes, async (c) =>
      c.json(await routes.createMany(c.get('caller'), c.req.valid('json').routes), 200),
    )
    .openapi(getRoute, async (c) => c.json(await routes.find(c.get('caller'), c.req.valid('param').name), 200))
    .openapi(deleteRoute, async (c) => {
      await routes.remove(c.get('caller'), c.req.valid('param').name);
      return c.body(null, 204);
    })
    .openapi(lookup, async (c) => c.json(await routes.lookup(c.get('caller'), c.req.valid('query')), 200));
}
