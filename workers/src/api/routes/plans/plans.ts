import { createRoute } from '@hono/zod-openapi';
import { planNameSchema, planSchema, plansSchema, putPlanSchema } from '@tunnox/domain/api/users';
import { z } from 'zod';
import type { PlanService } from '../../../services/plan-service.ts';
import { createRouter } from '../../context.ts';
import { body, json, problems } from '../../responses.ts';

const listPlans = createRoute({
  operationId: 'listPlans',
  method: 'get',
  path: '/plans',
  tags: ['quotas'],
  summary: 'List the plans',
  responses: { 200: json(plansSchema, 'The plans') },
});

const putPlan = createRoute({
  operationId: 'putPlan',
  method: 'put',
  path: '/plans/{name}',
  tags: ['quotas'],
  summary: 'Make or replace a plan (operators)',
  description:
    "All six limits; null is unlimited. They are in force for the plan's users at once, live tunnels included, but for " +
    'limits that a user has of its own. What is over a lowered limit is kept; nothing more is added to it.',
  request: {
    params: z.object({ name: planNameSchema }),
    body: body(putPlanSchema, {
      max_clients: 3,
      max_mappings: 10,
      max_active_mappings: 3,
      max_connections_per_mapping: 50,
      total_bandwidth_limit: 1_048_576,
      monthly_traffic_limit: 10_737_418_240,
    }),
  },
  responses: { 200: json(planSchema, 'The plan'), ...problems('invalid') },
});

/** Plans: what users may have. */
export function plansRoutes(plans: PlanService) {
  return createRouter()
    .openapi(listPlans, async (c) => c.json(await plans.list(), 200))
    .openapi(putPlan, async (c) =>
      c.json(await plans.put(c.get('caller'), c.req.valid('param').name, c.req.valid('json')), 200),
    );
}
