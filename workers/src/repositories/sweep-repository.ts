import { sql } from 'drizzle-orm';
import type { SweepRepository } from '../services/live-ports.ts';
import type { Postgres } from './postgres.ts';
import { removeClients } from './removal-sql.ts';
import { insertClientChange, OUTBOX_OF_TRANSACTION } from './sql-parts.ts';

/** Rows that one sweep removes of a kind at the most; the next one goes on. */
const BATCH = 500;

/**
 * For so long an agent that was away finds its new identity, … Both are counted from the end that the anonymous client
 * would have had, at most a day after the claim.
 */
const HANDOVER_DAYS = 30;

/** … and hears what became of the old one. */
const CLAIMED_DAYS = 90;

/** The same set in every statement of a transaction: `now()` stands still in it. */
const EXPIRED_CLIENTS = sql`select client_id from clients
  where type = 'anonymous' and lifecycle <> 'claimed' and expires_at <= now() order by client_id limit ${BATCH}`;

/** Removes what has ended. What relays and agents must hear of goes through the outbox, as every change. */
export function createSweepRepository(postgres: Postgres): SweepRepository {
  return {
    async removeExpiredClients() {
      const rows = await postgres.transaction<{ id: number }>(
        sql`${EXPIRED_CLIENTS} for update`,
        ...removeClients(EXPIRED_CLIENTS),
        sql`
        with gone as (
          delete from clients where client_id in (${EXPIRED_CLIENTS}) returning client_id, config_version, name, expires_at
        ), audited as (
          insert into audit_log (actor_type, action, object_type, object_id, before)
          select 'system', 'client.expire', 'client', client_id::text,
            jsonb_build_object('name', name, 'expires_at', expires_at) from gone
        ), told as (${insertClientChange('deleted', sql`gone`)})
        select id from told union all ${OUTBOX_OF_TRANSACTION}`,
      );
      return rows.map(({ id }) => id);
    },

    async removeOldRows() {
      // A relay repeats a report until it is answered, after an outage from its disk.
      await postgres.query(sql`delete from usage_reports where received_at < now() - interval '30 days'`);
      await postgres.query(sql`delete from idempotency_keys where created_at < now() - interval '24 hours'`);
      await postgres.query(sql`delete from outbox where delivered_at < now() - interval '24 hours'`);
      await postgres.query(sql`update clients set handover_encrypted = null
        where handover_encrypted is not null and expires_at < now() - make_interval(days => ${HANDOVER_DAYS})`);
      await postgres.query(sql`delete from clients where client_id in (
        select client_id from clients where lifecycle = 'claimed'
          and expires_at < now() - make_interval(days => ${CLAIMED_DAYS}) limit ${BATCH})`);
      await postgres.query(sql`delete from reserved_names where name in (
        select name from reserved_names where until <= now() order by until limit ${BATCH * 10})`);
      await postgres.query(sql`delete from anonymous_creations where hour < now() - interval '2 hours'`);
    },
  };
}
