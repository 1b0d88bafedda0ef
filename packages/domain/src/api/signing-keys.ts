import { z } from 'zod';
import { momentSchema } from './common.ts';

/** What the keys sign: tickets for relays, access tokens of agents, tokens of relays, log-ins of people. */
export const keyPurposeSchema = z.enum(['ticket', 'access', 'relay', 'session']);

export const signingKeySchema = z
  .object({
    kid: z.string(),
    purpose: keyPurposeSchema,
    algorithm: z.enum(['ES256', 'RS256', 'HS256']),
    state: z.enum(['active', 'retired']).describe('`active` signs; `retired` still verifies until `expires_at`'),
    created_at: momentSchema,
    expires_at: momentSchema.nullable(),
  })
  .meta({ id: 'SigningKey' });

export const signingKeysSchema = z.object({ signing_keys: z.array(signingKeySchema) }).meta({ id: 'SigningKeys' });

export const rotateSigningKeySchema = z.object({ purpose: keyPurposeSchema }).meta({ id: 'RotateSigningKey' });

export type SigningKey = z.infer<typeof signingKeySchema>;
