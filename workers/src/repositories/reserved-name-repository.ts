import type { ReservedName } from '@tunnox/domain/api/reserved-names';
import { type SQL, sql } from 'drizzle-orm';
import type { ReservedNameRepository } from '../services/reserved-name-service.ts';
import type { Postgres } from './postgres.ts';
import { insertAudit, moment } from './sql-parts.ts';

/** Rows that have ended wait only for the sweep. */
const IN_FORCE = sql`(r.until is null or r.until > now())`;

/** Names that are kept back. */
export function createReservedNameRepository(postgres: Postgres): ReservedNameRepository {
  return {
    async list({ limit, offset, after }) {
      const beyond: SQL = after === null ? sql`true` : sql`r.name > ${after}`;
      const [rows, counts] = await Promise.all([
        postgres.query<ReservedName>(sql`
          select r.name, r.reason, r.user_id, ${moment('r.until')} as until from reserved_names r
          where ${IN_FORCE} and ${beyond} order by r.name limit ${limit} offset ${offset}`),
        postgres.query<{ total: number }>(sql`select count(*) as total from reserved_names r where ${IN_FORCE}`),
      ]);
      return { rows, total: counts[0]?.total ?? 0 };
    },

    async put({ name, reason, user_id: userId, until }, audit) {
      const rows = await postgres.query(sql`
        with old as (
          select jsonb_build_object('reason', reason, 'user_id', user_id, 'until', until) as facts
          from reserved_names where name = ${name}
        ), changed as (
          insert into reserved_names (name, reason, user_id, until)
          select ${name}, ${reason}, ${userId}::bigint, ${until}::timestamptz
          where ${userId}::bigint is null or exists (select from users where user_id = ${userId}::bigint and status <> 'deleted')
          on conflict (name) do update set reason = excluded.reason, user_id = excluded.user_id, until = excluded.until
          returning name, user_id
        ), audited as (${insertAudit(audit, 'reserved_name', sql`changed.name`, sql`changed.user_id`, sql`changed`, sql`(select facts from old)`)})
        select name from changed`);
      return rows.length > 0;
    },

    async remove(name, audit) {
      const rows = await postgres.query(sql`
        with changed as (delete from reserved_names where name = ${name}
          returning name, user_id, jsonb_build_object('reason', reason, 'user_id', user_id, 'until', until) as facts),
        audited as (${insertAudit(audit, 'reserved_name', sql`changed.name`, sql`changed.user_id`, sql`changed`, sql`changed.facts`)})
        select name from changed`);
      return rows.length > 0;
    },
  };
}
