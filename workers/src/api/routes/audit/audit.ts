import { createRoute } from '@hono/zod-openapi';
import { auditExportQuerySchema, auditPageSchema, auditQuerySchema } from '@tunnox/domain/api/audit';
import { z } from 'zod';
import type { AuditService } from '../../../services/audit-service.ts';
import { createRouter } from '../../context.ts';
import { json, problems } from '../../responses.ts';
import { ndjson } from './ndjson.ts';

const listAudit = createRoute({
  operationId: 'listAudit',
  method: 'get',
  path: '/audit',
  tags: ['audit'],
  summary: 'List changes, the newest first: operators all, users those that concern them',
  request: { query: auditQuerySchema },
  responses: { 200: json(auditPageSchema, 'A page of the audit log'), ...problems('not_found') },
});

const exportAudit = createRoute({
  operationId: 'exportAudit',
  method: 'get',
  path: '/audit/export',
  tags: ['audit'],
  summary: 'Export changes, the oldest first, one JSON object a line',
  request: { query: auditExportQuerySchema },
  responses: {
    200: {
      description:
        'Each line is an `AuditEntry`. If the database goes away meanwhile, the last line is `{"error": …, "after": …}`; ' +
        'after 100 000 lines it is `{"more": true, "after": …}`. Go on with `after`.',
      content: { 'application/x-ndjson': { schema: z.string() } },
    },
    ...problems('not_found'),
  },
});

/** The audit log. */
export function auditRoutes(audit: AuditService) {
  return createRouter()
    .openapi(listAudit, async (c) => c.json(await audit.list(c.get('caller'), c.req.valid('query')), 200))
    .openapi(exportAudit, async (c) => {
      const query = c.req.valid('query');
      const pages = await audit.export(c.get('caller'), query);
      // Hono types JSON and text only.
      return ndjson(pages, query.after ?? 0, c.get('requestId')) as never;
    });
}
