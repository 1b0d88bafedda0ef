import { z } from 'zod';
import { momentSchema, pageShape } from './common.ts';

/** A certificate that relays serve, or that is being obtained. Its key is never in an answer. */
export const certificateSchema = z
  .object({
    certificate_id: z.int(),
    names: z.array(z.string()),
    /** Custom domain that it is for; null: a base domain's. */
    domain_id: z.int().nullable(),
    state: z.enum(['pending', 'ordering', 'validating', 'finalizing', 'active', 'error']),
    challenge: z.enum(['dns-01', 'http-01']),
    not_before: momentSchema.nullable(),
    not_after: momentSchema.nullable(),
    /** When it is worked on next: a step of its order, a retry, its renewal; null: it waits for `renew`. */
    next_attempt_at: momentSchema.nullable(),
    retry_count: z.int(),
    last_error: z.string().nullable(),
    created_at: momentSchema,
    updated_at: momentSchema,
    version: z.int(),
  })
  .meta({ id: 'Certificate' });

export const certificatesPageSchema = z.object({ certificates: z.array(certificateSchema), ...pageShape });

export type Certificate = z.infer<typeof certificateSchema>;
