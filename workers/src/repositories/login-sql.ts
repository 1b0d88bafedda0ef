import { type SQL, sql } from 'drizzle-orm';

/** Ends all log-ins of users. @param userIds Subquery with one column. */
export function endLoginsOf(userIds: SQL): SQL {
  return sql`update refresh_tokens set revoked_at = now() where user_id in (${userIds}) and revoked_at is null`;
}
