import { createRoute } from '@hono/zod-openapi';
import { z } from 'zod';
import type { MetricsService } from '../../../services/metrics-service.ts';
import { createRouter } from '../../context.ts';
import { problems } from '../../responses.ts';

/** Prometheus' text format, as it asks for it. */
const MEDIA_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** It lies outside of the management API, whose operations have these by themselves. */
const REFUSALS = [
  ...(['unauthenticated', 'forbidden', 'login_required', 'client_disabled', 'client_claimed'] as const),
  ...(['invalid', 'rate_limited', 'unavailable'] as const),
];

const readMetrics = createRoute({
  operationId: 'readMetrics',
  method: 'get',
  path: '/metrics',
  tags: ['service'],
  summary: 'Figures of the control plane for Prometheus (operators)',
  responses: {
    200: { description: 'Text format, version 0.0.4', content: { 'text/plain': { schema: z.string() } } },
    ...problems(...REFUSALS),
  },
});

/** Metrics, for operators: they name the zones of all tenants. */
export function metricsRoutes(metrics: MetricsService) {
  return createRouter().openapi(readMetrics, async (c) =>
    c.text(await metrics.read(c.get('caller')), 200, { 'content-type': MEDIA_TYPE, 'cache-control': 'no-store' }),
  );
}
