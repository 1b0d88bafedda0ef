import { sql } from 'drizzle-orm';
import { check, date, index, pgSequence, pgTable, primaryKey, text, uniqueIndex } from 'drizzle-orm/pg-core';
import { instant, int53, oneOf } from './columns.ts';
import { plans } from './plans.ts';

export const USER_STATUSES = ['active', 'disabled', 'deleted'] as const;
/** What API keys may be limited to; `read` and `write` alone mean all of them. */
export const API_AREAS = ['account', 'clients', 'mappings', 'domains', 'namespaces', 'stats'] as const;
export const API_KEY_SCOPES = [
  'read',
  'write',
  ...API_AREAS.flatMap((area) => [`${area}:read`, `${area}:write`] as const),
] as const;

export const userIdSequence = pgSequence('user_id_seq', { startWith: 100_000_001 });

export const users = pgTable(
  'users',
  {
    userId: int53()
      .primaryKey()
      .default(sql`nextval('user_id_seq')`),
    username: text().notNull(),
    email: text().notNull(),
    passwordHash: text(),
    status: text({ enum: USER_STATUSES }).notNull().default('active'),
    plan: text()
      .notNull()
      .default('free')
      .references(() => plans.name),
    rowVersion: int53().notNull().default(1),
    createdAt: instant().notNull().defaultNow(),
    updatedAt: instant().notNull().defaultNow(),
    lastLoginAt: instant(),
  },
  (t) => [
    // A deleted user keeps its row (usage and audit point at it) and gives its names back.
    uniqueIndex('users_username_unique')
      .on(sql`lower(${t.username})`)
      .where(sql`${t.status} <> 'deleted'`),
    uniqueIndex('users_email_unique')
      .on(sql`lower(${t.email})`)
      .where(sql`${t.status} <> 'deleted'`),
    index('users_status').on(t.status, t.userId),
    check('users_status_known', oneOf(t.status, USER_STATUSES)),
    check('users_username_length', sql`length(${t.username}) between 1 and 64`),
    check('users_email_length', sql`length(${t.email}) between 3 and 254`),
  ],
);

/** Limits of one user that differ from the plan's: null = as the plan says, -1 = unlimited. */
export const userQuotas = pgTable(
  'user_quotas',
  {
    userId: int53()
      .primaryKey()
      .references(() => users.userId),
    maxClients: int53(),
    maxMappings: int53(),
    maxActiveMappings: int53(),
    maxConnectionsPerMapping: int53(),
    totalBandwidthLimit: int53(),
    monthlyTrafficLimit: int53(),
    updatedAt: instant().notNull().defaultNow(),
  },
  (t) => [
    check(
      'user_quotas_limits',
      sql`least(${t.maxClients}, ${t.maxMappings}, ${t.maxActiveMappings}, ${t.maxConnectionsPerMapping}, ${t.totalBandwidthLimit}, ${t.monthlyTrafficLimit}) >= -1`,
    ),
  ],
);

/** Sums of a user's traffic; rows are only ever added to. `month` is the first day of the month (UTC). */
export const usageMonthly = pgTable(
  'usage_monthly',
  {
    userId: int53()
      .notNull()
      .references(() => users.userId),
    month: date({ mode: 'string' }).notNull(),
    bytesIn: int53().notNull().default(0),
    bytesOut: int53().notNull().default(0),
    connections: int53().notNull().default(0),
  },
  (t) => [
    primaryKey({ columns: [t.userId, t.month] }),
    check('usage_monthly_first_day', sql`extract(day from ${t.month}) = 1`),
  ],
);

/** Reports that are counted already: a relay repeats one until it has an answer. */
export const usageReports = pgTable(
  'usage_reports',
  {
    incarnation: text().notNull(),
    sequence: int53().notNull(),
    receivedAt: instant().notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.incarnation, t.sequence] }), index('usage_reports_received_at').on(t.receivedAt)],
);

export const apiKeys = pgTable(
  'api_keys',
  {
    id: int53().primaryKey().generatedAlwaysAsIdentity(),
    userId: int53()
      .notNull()
      .references(() => users.userId),
    name: text().notNull(),
    /** First characters of the key, for people to tell keys apart. */
    prefix: text().notNull(),
    /** SHA-256 of the key, lower-case hex. */
    hash: text().notNull().unique(),
    scopes: text({ enum: API_KEY_SCOPES }).array().notNull(),
    createdAt: instant().notNull().defaultNow(),
    lastUsedAt: instant(),
    expiresAt: instant(),
    revokedAt: instant(),
  },
  (t) => [
    index('api_keys_user').on(t.userId, t.id),
    check(
      'api_keys_scopes_known',
      sql`${t.scopes} <@ array[${sql.raw(API_KEY_SCOPES.map((scope) => `'${scope}'`).join(', '))}]`,
    ),
  ],
);
