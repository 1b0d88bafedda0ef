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
    /** Team that shares it; null: none. */
    namespace_id: z.int().nullable(),
    client_name: z.string(),
    client_desc: z.string(),
    client_type: z.enum(['managed', 'anonymous']),
    status: clientStatusSchema,
    /** Switched off by an operator, and why. */
    suspended: z.boolean(),
    suspended_reason: z.string().nullable(),
    /** Relay to which it is attached now. */
    node_id: z.string().nullable(),
    attached_at: momentSchema.nullable(),
    last_seen_at: momentSchema.nullable(),
    config_version: z.int(),
    config_applied_version: z.int(),
    expires_at: momentSchema.nullable(),
    created_at: momentSchema,
    updated_at: momentSchema,
    /** Rises with every change; the `ETag`. */
    version: z.int(),
  })
  .meta({ id: 'Client' });

export const createClientSchema = z
  .object({
    /** Operators only; others create their own. */
    user_id: z.int().optional(),
    /** Team that shall share it. */
    namespace_id: z.int().nullable().optional(),
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
    namespace_id: z.int().nullable(),
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
    /** Operators only: true takes it from the network until false, whatever its owner does. */
    suspended: z.boolean().optional(),
    suspended_reason: z.string().max(500).nullable().optional(),
  })
  .meta({ id: 'UpdateClient' });

/** An anonymous client becomes a managed one; the code proves that it is the caller's to take. */
export const claimClientSchema = z
  .object({
    anonymous_client_id: z.int(),
    auth_code: z.string().min(1).max(128),
    /** Operators only; others claim for themselves. */
    user_id: z.int().optional(),
    /** Team that shall share it. */
    namespace_id: z.int().nullable().optional(),
    new_client_name: clientNameSchema.optional(),
  })
  .meta({ id: 'ClaimClient' });

/** The only answer with the new code in it; the agent takes its new identity by itself. */
export const claimedClientSchema = z
  .object({ new_client_id: z.int(), new_auth_code: z.string(), message: z.string() })
  .meta({ id: 'ClaimedClient' });

export const rotatedCodeSchema = z.object({ client_id: z.int(), auth_code: z.string() }).meta({ id: 'RotatedCode' });

export const clientsPageSchema = z.object({ clients: z.array(clientSchema), ...pageShape });

export type Client = z.infer<typeof clientSchema>;
export type CreateClient = z.input<typeof createClientSchema>;
export type CreatedClient = z.infer<typeof createdClientSchema>;
export type UpdateClient = z.infer<typeof updateClientSchema>;
export type ClaimClient = z.infer<typeof claimClientSchema>;
export type ClaimedClient = z.infer<typeof claimedClientSchema>;
export type RotatedCode = z.infer<typeof rotatedCodeSchema>;
