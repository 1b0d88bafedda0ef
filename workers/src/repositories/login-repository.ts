import { sql } from 'drizzle-orm';
import type { AuditEntry } from '../services/audit.ts';
import type { LiveLogin, LoginAccount, LoginRepository } from '../services/login-ports.ts';
import type { Membership } from '../services/principal.ts';
import { membershipsOf } from './membership-sql.ts';
import type { Postgres } from './postgres.ts';
import { insertAudit, lockOwner, moment } from './sql-parts.ts';
import { SELECT_USER } from './user-repository.ts';

/** Refresh tokens that are not used end after this time; each that is used brings a new one. */
const REFRESH_DAYS = 7;

/** Log-ins that a user has at once; a further one ends the one that began first. */
const LOGINS_MAX = 50;

const EXPIRES = sql`now() + make_interval(days => ${REFRESH_DAYS})`;

/**
 * Log-ins of people. Everything that begins or ends one locks the user first, so that no token is made while all of
 * them end.
 */
export function createLoginRepository(postgres: Postgres): LoginRepository {
  return {
    async findAccount(login, address) {
      const [row] = await postgres.query<LoginAccount>(sql`
        select u.user_id as "userId", u.password_hash as "passwordHash", u.status,
          exists (select 1 from refresh_tokens t where t.user_id = u.user_id and t.address = ${address}
            and t.revoked_at is null and t.expires_at > now()) as "knownAddress"
        from users u
        where (lower(u.username) = lower(${login}) or lower(u.email) = lower(${login})) and u.status <> 'deleted'
        order by lower(u.username) = lower(${login}) desc limit 1`);
      return row ?? null;
    },

    async noteFailure(userId, audit) {
      await postgres.query(
        insertAudit(
          audit,
          'user',
          sql`u.user_id::text`,
          sql`u.user_id`,
          sql`users u where u.user_id = ${userId}::bigint`,
        ),
      );
    },

    async begin({ userId, family, hash, address, passwordHash, newPasswordHash }, audit) {
      const [row] = await postgres.transaction<LiveLogin>(
        lockOwner(userId, null),
        sql`
        with u as (
          update users set last_login_at = now(), password_hash = coalesce(${newPasswordHash}, password_hash)
          where user_id = ${userId} and status = 'active' and password_hash = ${passwordHash} returning user_id
        ), crowded as (
          update refresh_tokens t set revoked_at = now() from u
          where t.user_id = u.user_id and t.revoked_at is null and t.family in (
            select family from refresh_tokens where user_id = ${userId} and revoked_at is null
            group by family order by min(created_at) desc offset ${LOGINS_MAX - 1})
        ), made as (
          insert into refresh_tokens (jti, family, user_id, expires_at, address)
          select ${hash}, ${family}, user_id, ${EXPIRES}, ${address} from u returning family, user_id
        )
        ${auditLogin(audit, 'made')}`,
        liveLogin(hash),
      );
      return row ?? null;
    },

    async rotate(hash, next, reuse) {
      const [row] = await postgres.transaction<LiveLogin>(
        lockUserOf(hash),
        sql`
        with shown as (
          select t.*, u.status = 'active' and t.revoked_at is null and t.expires_at > now() as lives
          from refresh_tokens t join users u using (user_id) where t.jti = ${hash}
        ), made as (
          insert into refresh_tokens (jti, family, user_id, expires_at, address)
          select ${next.hash}, family, user_id, ${EXPIRES}, ${next.address} from shown
          where lives and rotated_to is null returning jti
        ), traded as (
          update refresh_tokens t set rotated_to = made.jti from made where t.jti = ${hash}
        ), ended as (
          update refresh_tokens t set revoked_at = now() from shown
          where t.family = shown.family and t.revoked_at is null and shown.rotated_to is not null
          returning t.family, t.user_id
        )
        ${auditLogin(reuse, '(select distinct family, user_id from ended) o')}`,
        liveLogin(next.hash),
      );
      return row ?? null;
    },

    async end(hash, audit) {
      await postgres.transaction(
        lockUserOf(hash),
        sql`
        with ended as (
          update refresh_tokens t set revoked_at = now() from refresh_tokens shown
          where shown.jti = ${hash} and t.family = shown.family and t.revoked_at is null
          returning t.family, t.user_id
        )
        ${auditLogin(audit, '(select distinct family, user_id from ended) o')}`,
      );
    },

    async authenticate({ userId, family }) {
      const [row] = await postgres.query<{ memberships: Membership[] }>(sql`
        select ${membershipsOf(sql`u.user_id`)} as memberships from users u
        where u.user_id = ${userId} and u.status = 'active' and exists (
          select 1 from refresh_tokens t
          where t.family = ${family} and t.user_id = u.user_id and t.revoked_at is null and t.expires_at > now())`);
      return row?.memberships ?? null;
    },

    async removeEnded() {
      await postgres.query(sql`delete from refresh_tokens
        where expires_at < now() or revoked_at < now() - interval '1 day'`);
    },
  };
}

function lockUserOf(hash: string) {
  return sql`select user_id from users
    where user_id = (select user_id from refresh_tokens where jti = ${hash}) for no key update`;
}

/** The log-in that has the token, after the statements before. */
function liveLogin(hash: string) {
  return sql`select t.family, t.user_id as "userId", ${moment('t.expires_at')} as "expiresAt",
      (select to_jsonb(shown) from (${SELECT_USER} from users u where u.user_id = t.user_id) shown) as "user"
    from refresh_tokens t where t.jti = ${hash}`;
}

/** @param from Has `family` and `user_id`. */
function auditLogin(audit: AuditEntry, from: string) {
  return insertAudit(audit, 'login', sql`family`, sql`user_id`, sql.raw(from));
}
