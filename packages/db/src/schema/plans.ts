import { sql } from 'drizzle-orm';
import { check, pgTable, text } from 'drizzle-orm/pg-core';
import { int53 } from './columns.ts';

/** What a plan allows; null = unlimited. The rows come with the migrations and may be changed by operators. */
export const plans = pgTable(
  'plans',
  {
    name: text().primaryKey(),
    maxClients: int53(),
    maxMappings: int53(),
    maxActiveMappings: int53(),
    maxConnectionsPerMapping: int53(),
    /** Bytes a second. */
    totalBandwidthLimit: int53(),
    /** Bytes a calendar month (UTC). */
    monthlyTrafficLimit: int53(),
  },
  (t) => [
    check('plans_name', sql`${t.name} ~ '^[a-z][a-z0-9_-]{0,31}$'`),
    check(
      'plans_limits',
      sql`least(${t.maxClients}, ${t.maxMappings}, ${t.maxActiveMappings}, ${t.maxConnectionsPerMapping}, ${t.totalBandwidthLimit}, ${t.monthlyTrafficLimit}) >= 0`,
    ),
  ],
);
