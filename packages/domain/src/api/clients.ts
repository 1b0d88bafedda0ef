import { z } from 'zod';
import { momentSchema, pageShape } from './common.ts';

const clientNameSchema = z.string().trim().min(1).max(64);
const descriptionSchema = z.string().max(1000);

export const clientStatusSchema = z.enum(['online', 'offline', 'disabled', 'claimed']);

export const clientSchema = z
  .object({
    client_id: z.int(),
    /** null: anonymous. */
    user_id: z.int().nullable(),
    client_name: z.string(),
    client_desc: z.string(),
    client_type: z.enum(['managed', 'anonymous']),
    status: clientStatusSchema,
    /** Relay to which it is attached now. */
    node_id: z.string().nullable(),
    attached_at: momentSchema.nullable(),
    last_seen_at: momentSchema.nullable(),
    config_version: z.int(),
    config_applied_version: z.int(),
    expires_at: momentSchema.nullable(),
    created_at: momentSchema,
    updated_at: momentSchema,
  })
  .meta({ id: 'Client' });

export const createClientSchema = z
  .object({
    /** Operators only; others create their own. */
    user_id: z.int().optional(),
    client_name: clientNameSchema,
    client_desc: descriptionSchema.default(''),
  })
  .meta({ id: 'CreateClient' });

/** The only answer with the authentication code in it. */
export const createdClientSchema = z
  .object({
    client_id: z.int(),
    auth_code: z.string(),
    user_id: z.int(),
    client_name: z.string(),
    client_desc: z.string(),
    client_type: z.literal('managed'),
    status: clientStatusSchema,
    created_at: momentSchema,
  })
  .meta({ id: 'CreatedClient' });

export const updateClientSchema = z
  .object({
    client_name: clientNameSchema.optional(),
    client_desc: descriptionSchema.optional(),
    /** false: the agent is sent away and its tickets are void. */
    enabled: z.boolean().optional(),
  })
  .meta({ id: 'UpdateClient' });

export const rotatedCodeSchema = z.object({ client_id: z.int(), auth_code: z.string() }).meta({ id: 'RotatedCode' });

export const clientsPageSchema = z.object({ clients: z.array(clientSchema), ...pageShape });

export type Client = z.infer<typeof clientSchema>;
export type CreateClient = z.input<typeof createClientSchema>;
export type CreatedClient = z.infer<typeof createdClientSchema>;
export type UpdateClient = z.infer<typeof updateClientSchema>;
export type RotatedCode = z.infer<typeof rotatedCodeSchema>;
