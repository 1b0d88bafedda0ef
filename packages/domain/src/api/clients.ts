import { z } from 'zod';
import { momentSchema, pageShape } from './common.ts';

const clientNameSchema = z.string().trim().min(1).max(64);
const descriptionSchema = z.string().max(1000);

export const clientStatusSchema = z.enum(['online', 'offline', 'disabled', 'claimed']);

export const clientSchema = z
  .object({
    client_id: z.int(),
    user_id: z.int().nullable().describe('null: anonymous'),
    namespace_id: z.int().nullable().describe('Team that shares it; null: none'),
    client_name: z.string(),
    client_desc: z.string(),
    client_type: z.enum(['managed', 'anonymous']),
    status: clientStatusSchema,
    suspended: z.boolean().describe('Switched off by an operator, and why'),
    suspended_reason: z.string().nullable(),
    node_id: z.string().nullable().describe('Relay to which it is attached now'),
    attached_at: momentSchema.nullable(),
    last_seen_at: momentSchema.nullable(),
    config_version: z.int(),
    config_applied_version: z.int(),
    expires_at: momentSchema.nullable(),
    created_at: momentSchema,
    updated_at: momentSchema,
    version: z.int().describe('Rises with every change; the `ETag`'),
  })
  .meta({ id: 'Client' });

export const createClientSchema = z
  .object({
    user_id: z.int().optional().describe('Operators only; others create their own'),
    namespace_id: z.int().nullable().optional().describe('Team that shall share it'),
    client_name: clientNameSchema,
    client_desc: descriptionSchema.default(''),
  })
  .meta({ id: 'CreateClient' });

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
  .meta({ id: 'CreatedClient', description: 'The only answer with the authentication code in it' });

export const updateClientSchema = z
  .object({
    client_name: clientNameSchema.optional(),
    client_desc: descriptionSchema.optional(),
    enabled: z.boolean().optional().describe('false: the agent is sent away and its tickets are void'),
    suspended: z
      .boolean()
      .optional()
      .describe('Operators only: true takes it from the network until false, whatever its owner does'),
    suspended_reason: z.string().max(500).nullable().optional(),
  })
  .meta({ id: 'UpdateClient' });

export const claimClientSchema = z
  .object({
    anonymous_client_id: z.int(),
    auth_code: z.string().min(1).max(128),
    user_id: z.int().optional().describe('Operators only; others claim for themselves'),
    namespace_id: z.int().nullable().optional().describe('Team that shall share it'),
    new_client_name: clientNameSchema.optional(),
  })
  .meta({
    id: 'ClaimClient',
    description: "An anonymous client becomes a managed one; the code proves that it is the caller's to take",
  });

export const claimedClientSchema = z
  .object({ new_client_id: z.int(), new_auth_code: z.string(), message: z.string() })
  .meta({
    id: 'ClaimedClient',
    description: 'The only answer with the new code in it; the agent takes its new identity by itself',
  });

export const rotatedCodeSchema = z.object({ client_id: z.int(), auth_code: z.string() }).meta({ id: 'RotatedCode' });

export const clientsPageSchema = z.object({ clients: z.array(clientSchema), ...pageShape }).meta({ id: 'ClientsPage' });

export type Client = z.infer<typeof clientSchema>;
export type CreateClient = z.input<typeof createClientSchema>;
export type CreatedClient = z.infer<typeof createdClientSchema>;
export type UpdateClient = z.infer<typeof updateClientSchema>;
export type ClaimClient = z.infer<typeof claimClientSchema>;
export type ClaimedClient = z.infer<typeof claimedClientSchema>;
export type RotatedCode = z.infer<typeof rotatedCodeSchema>;
