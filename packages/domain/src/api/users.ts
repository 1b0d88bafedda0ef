import { z } from 'zod';
import { momentSchema, pageShape } from './common.ts';
import { memberRoleSchema } from './namespaces.ts';
import { scopesSchema } from './scopes.ts';

const limitSchema = z.int().min(0).nullable();

export const limitsSchema = z
  .object({
    max_clients: limitSchema,
    max_mappings: limitSchema,
    max_active_mappings: limitSchema,
    max_connections_per_mapping: limitSchema,
    total_bandwidth_limit: limitSchema,
    monthly_traffic_limit: limitSchema,
  })
  .meta({
    id: 'Limits',
    description:
      'The six limits; null = unlimited. Bandwidth in bytes a second, traffic in bytes a calendar month (UTC)',
  });

export const planSchema = limitsSchema.extend({ name: z.string() }).meta({ id: 'Plan' });
export const putPlanSchema = limitsSchema.meta({ id: 'PutPlan', description: 'A plan as it shall be: all six limits' });
export const plansSchema = z.object({ plans: z.array(planSchema) }).meta({ id: 'Plans' });

export const userStatusSchema = z.enum(['active', 'disabled', 'deleted']);

export const userSchema = z
  .object({
    user_id: z.int(),
    username: z.string(),
    email: z.string(),
    status: userStatusSchema,
    plan: z.string(),
    quota: limitsSchema,
    created_at: momentSchema,
    updated_at: momentSchema,
    last_login_at: momentSchema.nullable(),
    version: z.int().describe('Rises with every change; the `ETag`'),
  })
  .meta({ id: 'User' });

const usernameSchema = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/, 'must be letters, digits, and . _ - between them');
const passwordSchema = z.string().min(8).max(256);
export const planNameSchema = z.string().regex(/^[a-z][a-z0-9_-]{0,31}$/);

export const createUserSchema = z
  .object({
    username: usernameSchema,
    email: z.email().max(254),
    password: passwordSchema.optional(),
    password_hash: z.string().max(256).optional().describe('`$scrypt$…` (PHC format) or bcrypt'),
    plan: planNameSchema.optional(),
  })
  .refine((user) => user.password === undefined || user.password_hash === undefined, {
    message: 'must not be given together with password',
    path: ['password_hash'],
  })
  .meta({ id: 'CreateUser' });

export const updateUserSchema = z
  .object({
    username: usernameSchema.optional(),
    email: z.email().max(254).optional(),
    password: passwordSchema.optional(),
    current_password: z
      .string()
      .max(256)
      .optional()
      .describe('Proves a user who sets a new password; operators need none'),
    plan: planNameSchema.optional(),
    status: z.enum(['active', 'disabled']).optional(),
  })
  .meta({ id: 'UpdateUser' });

export const usersPageSchema = z.object({ users: z.array(userSchema), ...pageShape }).meta({ id: 'UsersPage' });

export const setQuotaSchema = limitsSchema
  .partial()
  .meta({ id: 'SetQuota', description: 'Any of the six limits; null = unlimited. What is absent stays as it is' });

export const quotaSetSchema = z
  .object({ user_id: z.int(), quota: limitsSchema, updated_at: momentSchema })
  .meta({ id: 'QuotaSet' });

export const quotaUseSchema = limitsSchema
  .extend({
    user_id: z.int(),
    current_clients: z.int(),
    current_mappings: z.int().describe('Mappings and domains'),
    current_active_mappings: z.int().describe('Enabled, and an agent of theirs is attached'),
    current_month_traffic: z.int().describe('Bytes in this calendar month (UTC)'),
    current_bandwidth: z.number().describe("Bytes a second that the user's tunnels moved lately, in the whole cluster"),
    clients_usage_percent: z.number().nullable().describe('Of each limit, what is used of it; null: it is not limited'),
    mappings_usage_percent: z.number().nullable(),
    active_mappings_usage_percent: z.number().nullable(),
    bandwidth_usage_percent: z.number().nullable(),
    traffic_usage_percent: z.number().nullable(),
    /** When the month ends and its traffic begins anew (UTC). */
    traffic_resets_at: momentSchema,
  })
  .meta({ id: 'QuotaUse' });

export const apiKeySchema = z
  .object({
    key_id: z.int(),
    user_id: z.int(),
    name: z.string(),
    prefix: z.string().describe('Beginning of the key'),
    scopes: scopesSchema,
    created_at: momentSchema,
    last_used_at: momentSchema.nullable(),
    expires_at: momentSchema.nullable(),
  })
  .meta({ id: 'ApiKey' });

export const createApiKeySchema = z
  .object({
    name: z.string().max(64).default(''),
    scopes: scopesSchema.default(['read', 'write']),
    expires_at: momentSchema.optional(),
  })
  .meta({ id: 'CreateApiKey' });

export const createdApiKeySchema = apiKeySchema
  .extend({ api_key: z.string() })
  .meta({ id: 'CreatedApiKey', description: 'The only answer with the key in it' });
export const apiKeysSchema = z.object({ api_keys: z.array(apiKeySchema), ...pageShape }).meta({ id: 'ApiKeys' });

export const meSchema = z
  .object({
    role: z.enum(['operator', 'user', 'client']),
    scopes: scopesSchema,
    user: userSchema.nullable(),
    client_id: z.int().nullable(),
    namespaces: z
      .array(z.object({ namespace_id: z.int(), role: memberRoleSchema }))
      .describe("Teams of a user, or of an agent's client"),
  })
  .meta({ id: 'Me', description: 'Whose credential this is' });

export type Limits = z.infer<typeof limitsSchema>;
export type PutPlan = z.infer<typeof putPlanSchema>;
export type Plan = z.infer<typeof planSchema>;
export type User = z.infer<typeof userSchema>;
export type CreateUser = z.infer<typeof createUserSchema>;
export type UpdateUser = z.infer<typeof updateUserSchema>;
export type SetQuota = z.infer<typeof setQuotaSchema>;
export type QuotaUse = z.infer<typeof quotaUseSchema>;
export type ApiKey = z.infer<typeof apiKeySchema>;
export type CreateApiKey = z.input<typeof createApiKeySchema>;
export type CreatedApiKey = z.infer<typeof createdApiKeySchema>;
export type Me = z.infer<typeof meSchema>;
