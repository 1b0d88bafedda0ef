import { createRoute } from '@hono/zod-openapi';
import { connectionsPageSchema, connectionsQuerySchema } from '@tunnox/domain/api/connections';
import type { ConnectionService } from '../../../services/connection-service.ts';
import { createRouter } from '../../context.ts';
import { json, problems } from '../../responses.ts';

const listConnections = createRoute({
  operationId: 'listConnections',
  method: 'get',
  path: '/connections',
  tags: ['connections'],
  summary: 'List tunnels that have ended, the newest first',
  request: { query: connectionsQuerySchema },
  responses: { 200: json(connectionsPageSchema, 'A page of the connection log'), ...problems('not_found') },
});

/** The connection log. */
export function connectionsRoutes(connections: ConnectionService) {
  return createRouter().openapi(listConnections, async (c) =>
    c.json(await connections.list(c.get('caller'), c.req.valid('query')), 200),
  );
}
