import { sql } from 'drizzle-orm';
import { check, index, pgTable, primaryKey, text, uniqueIndex } from 'drizzle-orm/pg-core';
import { instant, int53, oneOf } from './columns.ts';
import { users } from './users.ts';

export const MEMBER_ROLES = ['owner', 'admin', 'member', 'viewer'] as const;

/** Teams: clients, mappings and domains in one are shared by its members and count on its owner's quota. */
export const namespaces = pgTable(
  'namespaces',
  {
    namespaceId: int53().primaryKey().generatedAlwaysAsIdentity(),
    /** Its owner. */
    userId: int53()
      .notNull()
      .references(() => users.userId),
    name: text().notNull(),
    rowVersion: int53().notNull().default(1),
    createdAt: instant().notNull().defaultNow(),
    updatedAt: instant().notNull().defaultNow(),
  },
  (t) => [
    uniqueIndex('namespaces_name').on(t.userId, sql`lower(${t.name})`),
    check('namespaces_name_length', sql`length(${t.name}) between 1 and 64`),
  ],
);

/** Who is in a team; its owner too. */
export const memberships = pgTable(
  'memberships',
  {
    namespaceId: int53()
      .notNull()
      .references(() => namespaces.namespaceId, { onDelete: 'cascade' }),
    userId: int53()
      .notNull()
      .references(() => users.userId),
    role: text({ enum: MEMBER_ROLES }).notNull(),
    createdAt: instant().notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.namespaceId, t.userId] }),
    index('memberships_user').on(t.userId, t.namespaceId),
    uniqueIndex('memberships_owner')
      .on(t.namespaceId)
      .where(sql`${t.role} = 'owner'`),
    check('memberships_role_known', oneOf(t.role, MEMBER_ROLES)),
  ],
);
