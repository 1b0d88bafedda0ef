import { index, pgTable, text } from 'drizzle-orm/pg-core';
import { instant, int53 } from './columns.ts';
import { users } from './users.ts';

/**
 * Refresh tokens of people who are logged in. Each is used once and names its successor; when a used one comes again,
 * somebody has a copy, and the whole family (one log-in) ends.
 */
export const refreshTokens = pgTable(
  'refresh_tokens',
  {
    /** SHA-256 of the token, lower-case hex. */
    jti: text().primaryKey(),
    /** One log-in; access tokens bear it as `sid`. */
    family: text().notNull(),
    userId: int53()
      .notNull()
      .references(() => users.userId),
    /** Where it was used: tries to log in from elsewhere do not lock out whoever is there. null: unknown. */
    address: text(),
    createdAt: instant().notNull().defaultNow(),
    expiresAt: instant().notNull(),
    /** `jti` of the token for which it was traded. */
    rotatedTo: text(),
    revokedAt: instant(),
  },
  (t) => [
    index('refresh_tokens_family').on(t.family),
    index('refresh_tokens_user').on(t.userId),
    index('refresh_tokens_expires_at').on(t.expiresAt),
  ],
);
