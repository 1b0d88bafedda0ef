import { type SQL, sql } from 'drizzle-orm';
import type { OutboxRepository, OutboxRow } from '../services/live-ports.ts';
import type { Postgres } from './postgres.ts';
import { array } from './sql-parts.ts';

/** A row that nobody has claimed is left to the Worker that wrote it for so long. */
const GRACE_S = 2;

/** Longer than any delivery takes: after it, whoever claimed a row is thought dead. */
const CLAIM_S = 15;

const ROW: SQL = sql.raw(
  `o.id, o.kind, o.binding_id as "bindingId", o.endpoint, o.version, o.deleted, o.client_ids as "clientIds", o.change,
  (extract(epoch from o.created_at) * 1000)::bigint as "createdAtMs"`,
);

/** Rows are claimed before they are delivered, so that of two Workers one does the work. */
export function createOutboxRepository(postgres: Postgres): OutboxRepository {
  const byId = (rows: OutboxRow[]): OutboxRow[] => rows.sort((a, b) => a.id - b.id);
  return {
    async claim(ids) {
      return byId(
        await postgres.query<OutboxRow>(sql`
          update outbox o set claimed_at = now(), attempts = o.attempts + 1
          where o.id = any(${array(ids, 'bigint')}) and o.delivered_at is null and o.claimed_at is null returning ${ROW}`),
      );
    },
    async claimLeft(limit) {
      return byId(
        await postgres.query<OutboxRow>(sql`
          update outbox o set claimed_at = now(), attempts = o.attempts + 1
          where o.id in (
            select w.id from outbox w
            where w.delivered_at is null and case when w.claimed_at is null
              then w.created_at < now() - make_interval(secs => ${GRACE_S})
              else w.claimed_at < now() - make_interval(secs => ${CLAIM_S}) end
            order by w.id limit ${limit} for update skip locked)
          returning ${ROW}`),
      );
    },
    async markDelivered(ids) {
      if (ids.length > 0)
        await postgres.query(sql`update outbox set delivered_at = now() where id = any(${array(ids, 'bigint')})`);
    },
    async clientsOf(ids) {
      const rows = await postgres.query<{ client_id: number }>(sql`
        select distinct unnest(client_ids) as client_id from outbox where id = any(${array(ids, 'bigint')})`);
      return rows.map((row) => row.client_id);
    },
  };
}
