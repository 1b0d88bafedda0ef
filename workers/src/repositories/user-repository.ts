import type { User } from '@tunnox/domain/api/users';
import { type SQL, sql } from 'drizzle-orm';
import type { AuditEntry } from '../services/audit.ts';
import type { IfVersion } from '../services/if-version.ts';
import type { QuotaFacts, UserOutcome, UserRepository } from '../services/user-ports.ts';
import { noteOtherChange } from './binding-change-sql.ts';
import { bandwidthOf } from './bandwidth-sql.ts';
import { limitsOf, mappingCount, monthTrafficOf } from './limits-sql.ts';
import { type Postgres, FOREIGN_KEY_VIOLATION, PostgresError, UNIQUE_VIOLATION } from './postgres.ts';
import { endLoginsOf } from './login-sql.ts';
import { leaveNamespaces } from './membership-sql.ts';
import { removeClients } from './removal-sql.ts';
import {
  assignments,
  insertAudit,
  insertClientChange,
  lockOwner,
  moment,
  OUTBOX_OF_TRANSACTION,
  selectPage,
} from './sql-parts.ts';
import { transactionIf } from './transaction-if.ts';
import { clientsToldOf } from './user-change-sql.ts';

export const SELECT_USER = sql`select u.user_id, u.username, u.email, u.status, u.plan,
  (select to_jsonb(l) from (${limitsOf(sql.raw('u.user_id'))}) l) as quota,
  ${moment('u.created_at')} as created_at, ${moment('u.updated_at')} as updated_at,
  ${moment('u.last_login_at')} as last_login_at, u.row_version as version`;

const QUOTA_COLUMNS = [
  'max_clients',
  'max_mappings',
  'max_active_mappings',
  'max_connections_per_mapping',
  'total_bandwidth_limit',
  'monthly_traffic_limit',
] as const;

interface Changed {
  user_id: number;
  outbox_ids: number[];
}

/** Users, their quotas, and the plans. */
export function createUserRepository(postgres: Postgres): UserRepository {
  async function change(userId: number, ifVersion: IfVersion, ...statements: [SQL, ...SQL[]]): Promise<UserOutcome> {
    const object = { table: 'users', id: userId, ifVersion } as const;
    const [row] = await transactionIf<Changed>(postgres, lockOwner(userId, null), object, ...statements);
    return row === undefined ? { outcome: 'no_user' } : { outcome: 'done', userId, outboxIds: row.outbox_ids };
  }

  return {
    create: (user, audit) =>
      named(async () => {
        const [row] = await postgres.query<{ user_id: number }>(sql`
          with made as (
            insert into users (username, email, password_hash, plan)
            values (${user.username}, ${user.email}, ${user.passwordHash}, ${user.plan}) returning user_id
          ), audited as (${insertAudit(audit, 'user', sql`made.user_id::text`, sql`made.user_id`, sql`made`)})
          select user_id from made`);
        return row === undefined ? { outcome: 'no_user' } : { outcome: 'done', userId: row.user_id, outboxIds: [] };
      }),

    async find(userId) {
      const [row] = await postgres.query<User>(sql`${SELECT_USER} from users u where u.user_id = ${userId}`);
      return row ?? null;
    },

    async passwordHash(userId) {
      const [row] = await postgres.query<{ hash: string | null }>(
        sql`select password_hash as hash from users where user_id = ${userId}`,
      );
      return row?.hash ?? null;
    },

    list: (filter, page) =>
      selectPage<User>(
        postgres,
        {
          select: SELECT_USER,
          from: sql`users u`,
          where: [filter.status === undefined ? sql`u.status <> 'deleted'` : sql`u.status = ${filter.status}`],
          id: sql`u.user_id`,
        },
        page,
      ),

    update: (userId, { username, email, passwordHash, plan, status }, audit, ifVersion) =>
      named(() => {
        const values = { username, email, password_hash: passwordHash, plan, status };
        const set = Object.entries(values).map(([column, value]): [string, SQL | undefined] => [
          column,
          value === undefined ? undefined : sql`${value}`,
        ]);
        return change(
          userId,
          ifVersion,
          sql`
          with old as (select user_id, status, plan from users where user_id = ${userId} and status <> 'deleted'),
          changed as (
            update users u set ${sql.join([...assignments(Object.fromEntries(set)), sql`row_version = u.row_version + 1`, sql`updated_at = now()`], sql`, `)}
            from old where u.user_id = old.user_id
            returning u.user_id, u.status, u.status <> old.status as switched, u.plan <> old.plan as replanned
          ), ${clientsToldOf(sql`changed`)},
          logged_out as (${endLoginsOf(sql`select user_id from changed where ${passwordHash !== undefined} or status = 'disabled'`)}),
          audited as (${insertAudit(audit, 'user', sql`changed.user_id::text`, sql`changed.user_id`, sql`changed`)})
          select changed.user_id, array(select id from told union all select id from bindings_told) as outbox_ids
          from changed`,
        );
      }),

    remove: (userId, audit, ifVersion) =>
      change(
        userId,
        ifVersion,
        sql`update api_keys set revoked_at = now() where user_id = ${userId} and revoked_at is null`,
        endLoginsOf(sql`select ${userId}::bigint`),
        sql`update users set status = 'deleted', password_hash = null, row_version = row_version + 1, updated_at = now() where user_id = ${userId}`,
        ...removeClients(sql`select client_id from clients where user_id = ${userId}`),
        sql`
          with gone as (
            delete from clients where user_id = ${userId} returning client_id, config_version
          ), ${leaveNamespaces(userId)},
          told as (${insertClientChange('deleted', sql`gone`)}),
          audited as (${insertAudit(audit, 'user', sql`u.user_id::text`, sql`u.user_id`, sql`users u where u.user_id = ${userId}`)})
          select u.user_id, array(select id from told union all ${OUTBOX_OF_TRANSACTION}) as outbox_ids
          from users u where u.user_id = ${userId}`,
      ),

    async quota(userId) {
      const [row] = await postgres.query<QuotaFacts>(sql`
        select (select to_jsonb(l) from (${limitsOf(sql`u.user_id`)}) l) as limits,
          (select count(*) from clients c where c.user_id = u.user_id) as clients,
          ${mappingCount(sql`u.user_id`)} as mappings,
          ${monthTrafficOf(sql`u.user_id`)} as "monthTraffic", ${bandwidthOf(sql`u.user_id`)} as bandwidth,
          coalesce((select jsonb_agg(s) from (
            select b.client_ids as "clientIds", count(*) as count from (
              select array(select e.client_id from endpoint_upstreams e where e.mapping_id = m.mapping_id order by 1) as client_ids
              from port_mappings m where m.user_id = u.user_id and m.enabled
              union all
              select array(select e.client_id from endpoint_upstreams e where e.domain_id = d.id order by 1)
              from http_domain_mappings d
              where d.user_id = u.user_id and d.status = 'active' and d.verification_state = 'verified'
            ) b group by b.client_ids) s), '[]') as enabled
        from users u where u.user_id = ${userId}`);
      return row ?? null;
    },

    setQuota(userId, quota, audit, ifVersion) {
      const values = QUOTA_COLUMNS.flatMap((column) => {
        const value = quota[column];
        return value === undefined ? [] : [{ column: sql.identifier(column), value: sql`${value ?? -1}::bigint` }];
      });
      const columns = sql.join([sql`user_id`, ...values.map(({ column }) => column)], sql`, `);
      const selected = sql.join([sql`u.user_id`, ...values.map(({ value }) => value)], sql`, `);
      const set = sql.join(
        [...values.map(({ column, value }) => sql`${column} = ${value}`), sql`updated_at = now()`],
        sql`, `,
      );
      return change(
        userId,
        ifVersion,
        // The limits are part of the user as it is shown.
        sql`update users set row_version = row_version + 1, updated_at = now() where user_id = ${userId}`,
        sql`
        with changed as (
          insert into user_quotas (${columns})
          select ${selected} from users u where u.user_id = ${userId} and u.status <> 'deleted'
          on conflict (user_id) do update set ${set} returning user_id
        ), ${limitsTold(audit)}`,
      );
    },

    resetQuota: (userId, audit, ifVersion) =>
      change(
        userId,
        ifVersion,
        sql`delete from user_quotas where user_id = ${userId}`,
        sql`
        with changed as (
          update users set row_version = row_version + 1, updated_at = now()
          where user_id = ${userId} and status <> 'deleted' returning user_id
        ), ${limitsTold(audit)}`,
      ),
  };
}

/** What follows for clients, outbox and audit log when the limits of the user in `changed` are others now. */
function limitsTold(audit: AuditEntry): SQL {
  return sql`concerned as (
      update clients c set config_version = c.config_version + 1 from changed ch where c.user_id = ch.user_id
      returning c.client_id, c.config_version
    ), noted as (${noteOtherChange(sql`concerned`)}),
    told as (${insertClientChange('limits', sql`concerned`)}),
    audited as (${insertAudit(audit, 'quota', sql`changed.user_id::text`, sql`changed.user_id`, sql`changed`)})
    select user_id, array(select id from told) as outbox_ids from changed`;
}

/** Tells which of the names is taken. */
async function named(work: () => Promise<UserOutcome>): Promise<UserOutcome> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof PostgresError)) throw error;
    if (error.sqlState === FOREIGN_KEY_VIOLATION && error.constraint?.includes('plan') === true) {
      return { outcome: 'no_plan' };
    }
    if (error.sqlState !== UNIQUE_VIOLATION) throw error;
    return { outcome: error.constraint === 'users_email_unique' ? 'email_taken' : 'username_taken' };
  }
}
