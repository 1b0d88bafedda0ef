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
    user_id: z.int().describe('Its owner'),
    name: z.string(),
    role: memberRoleSchema.nullable().describe("The caller's own; null: an operator's view"),
    members: z.int(),
    clients: z.int(),
    mappings: z.int().describe('Mappings and domains'),
    created_at: momentSchema,
    updated_at: momentSchema,
    version: z.int().describe('Rises with every change; the `ETag`'),
  })
  .meta({ id: 'Namespace' });

const namespaceNameSchema = z.string().trim().min(1).max(64);

export const createNamespaceSchema = z
  .object({
    name: namespaceNameSchema,
    user_id: z.int().optional().describe('Operators only: its owner'),
  })
  .meta({ id: 'CreateNamespace' });

export const updateNamespaceSchema = z.object({ name: namespaceNameSchema }).meta({ id: 'UpdateNamespace' });

export const namespacesPageSchema = z
  .object({ namespaces: z.array(namespaceSchema), ...pageShape })
  .meta({ id: 'NamespacesPage' });

export const memberSchema = z
  .object({ user_id: z.int(), username: z.string(), role: memberRoleSchema, created_at: momentSchema })
  .meta({ id: 'Member' });

export const putMemberSchema = z
  .object({ role: z.enum(['admin', 'member', 'viewer']) })
  .meta({ id: 'PutMember', description: 'The owner stays' });

export const membersPageSchema = z.object({ members: z.array(memberSchema), ...pageShape }).meta({ id: 'MembersPage' });

export type MemberRole = z.infer<typeof memberRoleSchema>;
export type Namespace = z.infer<typeof namespaceSchema>;
export type CreateNamespace = z.infer<typeof createNamespaceSchema>;
export type UpdateNamespace = z.infer<typeof updateNamespaceSchema>;
export type Member = z.infer<typeof memberSchema>;
export type PutMember = z.infer<typeof putMemberSchema>;
