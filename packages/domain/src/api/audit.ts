import { z } from 'zod';
import { momentSchema, pageQuerySchema, pageShape } from './common.ts';

export const auditEntrySchema = z
  .object({
    audit_id: z.int(),
    at: momentSchema,
    actor_type: z.enum(['operator', 'user', 'client', 'system']),
    actor_id: z.int().nullable().describe('User or client id; null for operators and the system'),
    user_id: z.int().nullable().describe("Tenant that is concerned; null: nobody's"),
    action: z.string().describe('Such as `domain.create`'),
    object_type: z.string(),
    object_id: z.string(),
    before: z.unknown(),
    after: z.unknown(),
    request_id: z.string().nullable().describe('`X-Request-Id` of the request that made the change'),
  })
  .meta({ id: 'AuditEntry', description: 'One change: who, what, when, and what it was before and after' });

const auditFilters = {
  user_id: z.coerce.number().int().min(1).optional().describe('For operators; others see what concerns them'),
  action: z.string().max(64).optional(),
  object_type: z.string().max(64).optional(),
  object_id: z.string().max(280).optional(),
  request_id: z.string().max(64).optional(),
  from: momentSchema.optional().describe('Changed then or later'),
  to: momentSchema.optional().describe('Changed before then'),
};

export const auditQuerySchema = pageQuerySchema.extend(auditFilters);

/** All that match, oldest first, as NDJSON. */
export const auditExportQuerySchema = z.object({
  ...auditFilters,
  after: z.coerce.number().int().min(0).optional().describe('Go on behind this `audit_id`'),
});

export const auditPageSchema = z
  .object({ entries: z.array(auditEntrySchema), ...pageShape })
  .meta({ id: 'AuditPage', description: 'The newest first. `total` counts no further than 100 000' });

export type AuditQuery = z.infer<typeof auditQuerySchema>;
export type AuditExportQuery = z.infer<typeof auditExportQuerySchema>;
export type AuditEntry = z.infer<typeof auditEntrySchema>;
