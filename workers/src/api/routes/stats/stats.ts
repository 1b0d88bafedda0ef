import { createRoute } from '@hono/zod-openapi';
import {
  clientStatsSchema,
  domainStatsSchema,
  mappingStatsSchema,
  systemStatsSchema,
  timeSeriesQuerySchema,
  userStatsSchema,
} from '@tunnox/domain/api/stats';
import { z } from 'zod';
import type { StatsService } from '../../../services/stats-service.ts';
import { createRouter } from '../../context.ts';
import { idSchema } from '../../id-schema.ts';
import { json, problems } from '../../responses.ts';

const getUserStats = createRoute({
  operationId: 'getUserStats',
  method: 'get',
  path: '/stats/users/{user_id}',
  tags: ['stats'],
  summary: 'What a user has and uses',
  request: { params: z.object({ user_id: idSchema }), query: timeSeriesQuerySchema },
  responses: { 200: json(userStatsSchema, 'The counts'), ...problems('not_found') },
});

const getClientStats = createRoute({
  operationId: 'getClientStats',
  method: 'get',
  path: '/stats/clients/{client_id}',
  tags: ['stats'],
  summary: 'How long a client was there, and what passed through it',
  request: { params: z.object({ client_id: idSchema }), query: timeSeriesQuerySchema },
  responses: { 200: json(clientStatsSchema, 'The counts'), ...problems('not_found') },
});

const getMappingStats = createRoute({
  operationId: 'getMappingStats',
  method: 'get',
  path: '/stats/mappings/{mapping_id}',
  tags: ['stats'],
  summary: 'What passed through a mapping',
  request: { params: z.object({ mapping_id: idSchema }), query: timeSeriesQuerySchema },
  responses: { 200: json(mappingStatsSchema, 'The counts'), ...problems('not_found') },
});

const getDomainStats = createRoute({
  operationId: 'getDomainStats',
  method: 'get',
  path: '/stats/domains/{domain_id}',
  tags: ['stats'],
  summary: 'What passed through a domain',
  request: { params: z.object({ domain_id: idSchema }), query: timeSeriesQuerySchema },
  responses: { 200: json(domainStatsSchema, 'The counts'), ...problems('not_found') },
});

const getSystemStats = createRoute({
  operationId: 'getSystemStats',
  method: 'get',
  path: '/stats/system',
  tags: ['stats'],
  summary: 'What there is and passes in the whole cluster (operators)',
  request: { query: timeSeriesQuerySchema },
  responses: { 200: json(systemStatsSchema, 'The counts') },
});

/** Statistics. */
export function statsRoutes(stats: StatsService) {
  return createRouter()
    .openapi(getUserStats, async (c) =>
      c.json(await stats.user(c.get('caller'), c.req.valid('param').user_id, c.req.valid('query')), 200),
    )
    .openapi(getClientStats, async (c) =>
      c.json(await stats.client(c.get('caller'), c.req.valid('param').client_id, c.req.valid('query')), 200),
    )
    .openapi(getMappingStats, async (c) =>
      c.json(await stats.mapping(c.get('caller'), c.req.valid('param').mapping_id, c.req.valid('query')), 200),
    )
    .openapi(getDomainStats, async (c) =>
      c.json(await stats.domain(c.get('caller'), c.req.valid('param').domain_id, c.req.valid('query')), 200),
    )
    .openapi(getSystemStats, async (c) => c.json(await stats.system(c.get('caller'), c.req.valid('query')), 200));
}
