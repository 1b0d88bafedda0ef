import type { ApiKey } from '@tunnox/domain/api/users';
import { sql } from 'drizzle-orm';
import type { Membership, Scope } from '../services/principal.ts';
import type { ApiKeyRepository } from '../services/user-ports.ts';
import type { Postgres } from './postgres.ts';
import { membershipsOf } from './membership-sql.ts';
import { array, insertAudit, lockOwner, moment, selectPage } from './sql-parts.ts';

const COLUMNS = sql`k.id as key_id, k.user_id, k.name, k.prefix, k.scopes, ${moment('k.created_at')} as created_at,
  ${moment('k.last_used_at')} as last_used_at, ${moment('k.expires_at')} as expires_at`;

/** API keys by their SHA-256. */
export function createApiKeyRepository(postgres: Postgres): ApiKeyRepository {
  return {
    async create(userId, key, max, audit) {
      const [row] = await postgres.transaction<{ current: number; key: ApiKey | null }>(
        lockOwner(userId, null),
        sql`
        with owner as (
          select u.user_id, (
            select count(*) from api_keys o where o.user_id = u.user_id and o.revoked_at is null) as current
          from users u where u.user_id = ${userId} and u.status <> 'deleted'
        ), k as (
          insert into api_keys (user_id, name, prefix, hash, scopes, expires_at)
          select user_id, ${key.name}, ${key.prefix}, ${key.hash}, ${array(key.scopes, 'text')}, ${key.expiresAt}::timestamptz
          from owner where current < ${max} returning *
        ), audited as (${insertAudit(audit, 'api_key', sql`k.id::text`, sql`k.user_id`, sql`k`)})
        select owner.current, (select to_jsonb(made) from (select ${COLUMNS} from k) made) as key from owner`,
      );
      if (row === undefined) return { outcome: 'no_user' };
      if (row.key === null) return { outcome: 'over_quota', limit: max, current: row.current };
      return { outcome: 'done', key: row.key };
    },

    list: (userId, page) =>
      selectPage<ApiKey>(
        postgres,
        {
          select: sql`select ${COLUMNS}`,
          from: sql`api_keys k`,
          where: [sql`k.user_id = ${userId}`, sql`k.revoked_at is null`],
          id: sql`k.id`,
        },
        page,
      ),

    async revoke(userId, keyId, audit) {
      const rows = await postgres.query(sql`
        with k as (
          update api_keys set revoked_at = now() where user_id = ${userId} and id = ${keyId} and revoked_at is null
          returning id, user_id, jsonb_build_object('name', name, 'prefix', prefix, 'scopes', scopes) as facts
        ), audited as (${insertAudit(audit, 'api_key', sql`k.id::text`, sql`k.user_id`, sql`k`, sql`k.facts`)})
        select id from k`);
      return rows.length > 0;
    },

    async authenticate(hash) {
      // The use is noted once a minute at most: reading must not turn into writing.
      const [row] = await postgres.query<{ userId: number; scopes: Scope[]; memberships: Membership[] }>(sql`
        with used as (
          update api_keys set last_used_at = now()
          where hash = ${hash} and (last_used_at is null or last_used_at < now() - interval '1 minute')
        )
        select k.user_id as "userId", k.scopes, ${membershipsOf(sql`k.user_id`)} as memberships from api_keys k join users u using (user_id)
        where k.hash = ${hash} and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
          and u.status = 'active'`);
      return row ?? null;
    },
  };
}
