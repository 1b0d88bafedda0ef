import type { JoinToken } from '@tunnox/domain/api/nodes';
import { sql } from 'drizzle-orm';
import type { JoinTokenRepository } from '../services/node-ports.ts';
import type { Postgres } from './postgres.ts';
import { insertAudit, moment } from './sql-parts.ts';

const COLUMNS = sql`j.id as token_id, j.name, j.relay_group, j.uses_left, ${moment('j.expires_at')} as expires_at,
  ${moment('j.created_at')} as created_at`;

/** Join tokens by their SHA-256. */
export function createJoinTokenRepository(postgres: Postgres): JoinTokenRepository {
  return {
    async create({ name, hash, relayGroup, uses, expiresInS }, audit) {
      const [row] = await postgres.query<JoinToken>(sql`
        with j as (
          insert into join_tokens (name, hash, relay_group, uses_left, expires_at)
          values (${name}, ${hash}, ${relayGroup}, ${uses}, now() + ${expiresInS}::int * interval '1 second') returning *
        ), audited as (${insertAudit(audit, 'join_token', sql`j.id::text`, sql`null::bigint`, sql`j`)})
        select ${COLUMNS} from j`);
      if (row === undefined) throw new Error('Cannot read the join token that was just made');
      return row;
    },

    list: () =>
      postgres.query<JoinToken>(sql`select ${COLUMNS} from join_tokens j
        where j.revoked_at is null and (j.expires_at is null or j.expires_at > now())
          and (j.uses_left is null or j.uses_left > 0)
        order by j.id`),

    async revoke(tokenId, audit) {
      const rows = await postgres.query(sql`
        with j as (
          update join_tokens set revoked_at = now() where id = ${tokenId} and revoked_at is null
          returning id, jsonb_build_object('name', name, 'relay_group', relay_group, 'uses_left', uses_left) as facts
        ), audited as (${insertAudit(audit, 'join_token', sql`j.id::text`, sql`null::bigint`, sql`j`, sql`j.facts`)})
        select id from j`);
      return rows.length > 0;
    },
  };
}
