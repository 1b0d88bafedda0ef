import { sql } from 'drizzle-orm';
import { check, index, integer, pgTable, primaryKey, text } from 'drizzle-orm/pg-core';
import { instant } from './columns.ts';

/** How many anonymous clients a network has made in one hour: the limit against abuse. */
export const anonymousCreations = pgTable(
  'anonymous_creations',
  {
    /** IPv4 /24 or IPv6 /64, such as `203.0.113.0/24`. */
    network: text().notNull(),
    /** Start of the hour (UTC). */
    hour: instant().notNull(),
    created: integer().notNull().default(1),
  },
  (t) => [
    primaryKey({ columns: [t.network, t.hour] }),
    index('anonymous_creations_hour').on(t.hour),
    check('anonymous_creations_created', sql`${t.created} >= 1`),
  ],
);
