import { sql } from 'drizzle-orm';
import { check, index, integer, jsonb, pgSequence, pgTable, text } from 'drizzle-orm/pg-core';
import { instant, int53, oneOf } from './columns.ts';
import { namespaces } from './namespaces.ts';
import { users } from './users.ts';

export const CLIENT_TYPES = ['managed', 'anonymous'] as const;
export const CLIENT_LIFECYCLES = ['active', 'disabled', 'claimed'] as const;

export const clientIdSequence = pgSequence('client_id_seq', { startWith: 600_000_000, maxValue: 999_999_999 });

export const clients = pgTable(
  'clients',
  {
    /** Managed: from the sequence; anonymous: random in its own range, chosen by the caller. */
    clientId: int53()
      .primaryKey()
      .default(sql`nextval('client_id_seq')`),
    /** null: anonymous. */
    userId: int53().references(() => users.userId),
    /** Team that shares it; null: only its user's. */
    namespaceId: int53().references(() => namespaces.namespaceId),
    type: text({ enum: CLIENT_TYPES }).notNull(),
    /** SHA-256 of the authentication code, lower-case hex. */
    authCodeHash: text().notNull(),
    name: text().notNull(),
    description: text().notNull().default(''),
    lifecycle: text({ enum: CLIENT_LIFECYCLES }).notNull().default('active'),
    /** Rises when the client is disabled, claimed or its code rotated: older tickets lose. */
    credentialGeneration: integer().notNull().default(1),
    /** Rises with every change of what the agent or its relay must know. */
    configVersion: int53().notNull().default(0),
    configAppliedVersion: int53().notNull().default(0),
    /** What the agent could not do of its configuration: `[{binding_id, code, message}]`. */
    configProblems: jsonb().notNull().default([]),
    lastSeenAt: instant(),
    /** Seconds for which its agent was attached, in sessions that have ended. */
    onlineSeconds: int53().notNull().default(0),
    /** Of all its tunnels, also of mappings that are gone. */
    totalBytesIn: int53().notNull().default(0),
    totalBytesOut: int53().notNull().default(0),
    totalConnections: int53().notNull().default(0),
    /** Set by operators; its owner cannot switch it on again. */
    suspendedAt: instant(),
    suspendedReason: text(),
    claimedBy: int53().references(() => users.userId),
    /** Managed client that this anonymous one became. */
    upgradedTo: int53(),
    /** Encrypted code of the managed client that it became, for its agent; gone once that has used it. */
    handoverEncrypted: text(),
    /** Anonymous clients end. */
    expiresAt: instant(),
    rowVersion: int53().notNull().default(1),
    createdAt: instant().notNull().defaultNow(),
    updatedAt: instant().notNull().defaultNow(),
  },
  (t) => [
    index('clients_user').on(t.userId, t.clientId),
    index('clients_namespace').on(t.namespaceId, t.clientId),
    index('clients_expires_at').on(t.expiresAt),
    index('clients_handover')
      .on(t.upgradedTo)
      .where(sql`${t.handoverEncrypted} is not null`),
    check('clients_type_known', oneOf(t.type, CLIENT_TYPES)),
    check('clients_lifecycle_known', oneOf(t.lifecycle, CLIENT_LIFECYCLES)),
    check(
      'clients_id_range',
      sql`case ${t.type} when 'anonymous' then ${t.clientId} between 200000000 and 299999999 else ${t.clientId} between 600000000 and 999999999 end`,
    ),
    check('clients_owner', sql`(${t.type} = 'anonymous') = (${t.userId} is null)`),
    check('clients_name_length', sql`length(${t.name}) between 1 and 64`),
    check('clients_versions', sql`${t.credentialGeneration} >= 1 and ${t.configVersion} >= 0`),
  ],
);
