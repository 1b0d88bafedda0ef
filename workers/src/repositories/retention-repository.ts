import { type SQL, sql } from 'drizzle-orm';
import type { RetentionRepository } from '../services/retention.ts';
import type { Postgres } from './postgres.ts';

/** Each statement is a transaction of its own, and passes over rows that somebody else is at. */
export function createRetentionRepository(postgres: Postgres): RetentionRepository {
  async function remove(table: string, condition: SQL, limit: number): Promise<number> {
    const [row] = await postgres.query<{ count: number }>(sql`
      with gone as (${removal(table, condition, limit)} returning 1) select count(*) as count from gone`);
    return row?.count ?? 0;
  }

  return {
    async rollUpHours(before, limit) {
      // What is taken away as hours is added as days by the same statement: never twice, never not at all.
      const [row] = await postgres.query<{ count: number }>(sql`
        with hours as (${removal('usage_rollups', sql`step = 'hour' and starts_at < ${before.toISOString()}`, limit)}
          returning *
        ), days as (
          insert into usage_rollups as r (step, starts_at, binding_id, client_id, user_id, bytes_in, bytes_out, connections)
          select 'day', date_trunc('day', starts_at, 'UTC'), binding_id, client_id, max(user_id),
            sum(bytes_in), sum(bytes_out), sum(connections)
          from hours group by 2, binding_id, client_id order by binding_id, client_id, 2
          on conflict (binding_id, client_id, step, starts_at) do update set user_id = excluded.user_id,
            bytes_in = r.bytes_in + excluded.bytes_in, bytes_out = r.bytes_out + excluded.bytes_out,
            connections = r.connections + excluded.connections
        )
        select count(*) as count from hours`);
      return row?.count ?? 0;
    },
    removeRollups: (before, limit) =>
      remove('usage_rollups', sql`step = 'day' and starts_at < ${before.toISOString()}`, limit),
    removeConnections: (before, limit) => remove('connection_log', sql`started_at < ${before.toISOString()}`, limit),
    removeSessions: (before, limit) => remove('client_sessions', sql`detached_at < ${before.toISOString()}`, limit),
    removeAudit: (before, limit) => remove('audit_log', sql`at < ${before.toISOString()}`, limit),
    removeBandwidth: (before, limit) => remove('user_bandwidth', sql`reported_at < ${before.toISOString()}`, limit),
    removeDnsRuns: (before, limit) => remove('dns_runs', sql`started_at < ${before.toISOString()}`, limit),
    trimDnsRuns: (kept, limit) =>
      remove(
        'dns_runs',
        sql`run_id in (select n.run_id from dns_zones z,
          lateral (select r.run_id from dns_runs r where r.zone_id = z.zone_id order by r.run_id desc offset ${kept}) n)`,
        limit,
      ),
  };
}

function removal(table: string, condition: SQL, limit: number): SQL {
  const name = sql.identifier(table);
  return sql`delete from ${name} where ctid = any(array(
    select ctid from ${name} where ${condition} limit ${limit} for update skip locked))`;
}
