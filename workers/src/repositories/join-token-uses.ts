import { sql } from 'drizzle-orm';
import type { JoinTokenRepository } from '../services/live-ports.ts';
import type { Postgres } from './postgres.ts';

/** Uses of join tokens; the statement decides who gets the last one. */
export function createJoinTokenUses(postgres: Postgres): JoinTokenRepository {
  return {
    async consume(hash) {
      const [row] = await postgres.query<{ relay_group: string }>(sql`
        update join_tokens set uses_left = uses_left - 1
        where hash = ${hash} and revoked_at is null and (expires_at is null or expires_at > now())
          and (uses_left is null or uses_left > 0)
        returning relay_group`);
      return row?.relay_group ?? null;
    },
    async refund(hash) {
      await postgres.query(sql`update join_tokens set uses_left = uses_left + 1 where hash = ${hash}`);
    },
  };
}
