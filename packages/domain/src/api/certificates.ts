import { z } from 'zod';
import { momentSchema, pageQuerySchema, pageShape } from './common.ts';

export const certificateStateSchema = z.enum(['pending', 'ordering', 'validating', 'finalizing', 'active', 'error']);

/** A certificate that relays serve, or that is being obtained. Its key is never in an answer. */
export const certificateSchema = z
  .object({
    certificate_id: z.int(),
    names: z.array(z.string()),
    base_domain: z.string().nullable().describe('Base domain that it is for; null: a custom one'),
    domain_id: z.int().nullable().describe("Custom domain that it is for; null: a base domain's"),
    state: certificateStateSchema.describe('`active`: it is served, also while the next one is being obtained'),
    challenge: z.enum(['dns-01', 'http-01']).describe('How control over the names is proved'),
    delegation: z
      .object({ type: z.literal('CNAME'), name: z.string(), value: z.string() })
      .nullable()
      .describe('A record with which the proofs for a custom domain are left to the platform; null: none is needed'),
    not_before: momentSchema.nullable(),
    not_after: momentSchema.nullable(),
    next_attempt_at: momentSchema
      .nullable()
      .describe('When it is worked on next: a step of its order, a retry, its renewal'),
    retry_count: z.int().describe('Orders that have failed since the last certificate'),
    last_error: z.string().nullable().describe('Why there is none yet, or none anew'),
    created_at: momentSchema,
    updated_at: momentSchema,
    certificate_version: z.int().describe('Rises with every certificate that is issued; what relays fetch by'),
  })
  .meta({ id: 'Certificate' });

export const certificatesPageSchema = z
  .object({ certificates: z.array(certificateSchema), ...pageShape })
  .meta({ id: 'CertificatesPage' });

export const certificatesQuerySchema = pageQuerySchema.extend({
  state: certificateStateSchema.optional().describe('Only those in this state'),
  domain_id: z.coerce.number().int().min(1).optional(),
  name: z.string().max(255).optional().describe('One of the names, such as `*.example.com`'),
});

export type CertificatesQuery = z.infer<typeof certificatesQuerySchema>;
export type Certificate = z.infer<typeof certificateSchema>;
