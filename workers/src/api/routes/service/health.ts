import { createRoute } from '@hono/zod-openapi';
import { z } from 'zod';
import type { HealthRepository } from '../../../services/node-ports.ts';
import { createRouter } from '../../context.ts';
import { json, problems } from '../../responses.ts';

const statusSchema = z.object({ status: z.literal('ok') }).meta({ id: 'ServiceStatus' });

const healthz = createRoute({
  operationId: 'healthz',
  method: 'get',
  path: '/healthz',
  tags: ['service'],
  summary: 'Tell that the process answers',
  security: [],
  responses: { 200: json(statusSchema, 'It answers') },
});

const readyz = createRoute({
  operationId: 'readyz',
  method: 'get',
  path: '/readyz',
  tags: ['service'],
  summary: 'Tell whether the database answers',
  security: [],
  responses: { 200: json(statusSchema, 'It does'), ...problems('unavailable') },
});

/** Health and readiness, without a credential. */
export function healthRoutes(health: HealthRepository) {
  return createRouter()
    .openapi(healthz, (c) => c.json({ status: 'ok' as const }, 200))
    .openapi(readyz, async (c) => {
      await health.check();
      return c.json({ status: 'ok' as const }, 200);
    });
}
