import { z } from 'zod';
import { momentSchema, pageShape } from './common.ts';

/**
 * What a member of a team may do with what is in it: `viewer` looks, `member` changes, `admin` also manages members, and
 * the `owner` pays: all counts on its quota.
 */
export const memberRoleSchema = z.enum(['owner', 'admin', 'member', 'viewer']);

export const namespaceSchema = z
  .object({
    namespace_id: z.int(),
    /** Its owner. */
    user_id: z.int(),
    name: z.string(),
    /** The caller's own; null: an operator's view. */
    role: memberRoleSchema.nullable(),
    members: z.int(),
    clients: z.int(),
    /** Mappings and domains. */
    mappings: z.int(),
    created_at: momentSchema,
    updated_at: momentSchema,
    /** Rises with every change; the `ETag`. */
    version: z.int(),
  })
  .meta({ id: 'Namespace' });

const namespaceNameSchema = z.string().trim().min(1).max(64);

export const createNamespaceSchema = z
  .object({
    name: namespaceNameSchema,
    /** Operators only: its owner. */
    user_id: z.int().optional(),
  })
  .meta({ id: 'CreateNamespace' });

export const updateNamespaceSchema = z.object({ name: namespaceNameSchema }).meta({ id: 'UpdateNamespace' });

export const namespacesPageSchema = z.object({ namespaces: z.array(namespaceSchema), ...pageShape });

export const memberSchema = z
  .object({ user_id: z.int(), username: z.string(), role: memberRoleSchema, created_at: momentSchema })
  .meta({ id: 'Member' });

/** The owner stays. */
export const putMemberSchema = z.object({ role: z.enum(['admin', 'member', 'viewer']) }).meta({ id: 'PutMember' });

export const membersPageSchema = z.object({ members: z.array(memberSchema), ...pageShape });

export type MemberRole = z.infer<typeof memberRoleSchema>;
export type Namespace = z.infer<typeof namespaceSchema>;
export type CreateNamespace = z.infer<typeof createNamespaceSchema>;
export type UpdateNamespace = z.infer<typeof updateNamespaceSchema>;
export type Member = z.infer<typeof memberSchema>;
export type PutMember = z.infer<typeof putMemberSchema>;
