import { sql } from 'drizzle-orm';
import type { UsageRepository } from '../services/live-ports.ts';
import { limitsOf, monthTrafficOf } from './limits-sql.ts';
import type { Postgres } from './postgres.ts';

/** Relays of 0.1 do not say for how long they counted: this is their rhythm. */
const INTERVAL_MS = 60_000;

/** What was taken longer ago says nothing of the present bandwidth; clocks may differ by minutes. */
const LATE_S = 300;

/**
 * Adds relays' counts, once for each (incarnation, sequence): the report's row decides, in the same statement. It bears
 * the node's id as well, so that no relay can use up another's numbers.
 */
export function createUsageRepository(postgres: Postgres): UsageRepository {
  return {
    async add(nodeId, { incarnation, sequence, entries, taken_at, interval_ms: intervalMs = INTERVAL_MS }) {
      const takenAt = sql`least(${taken_at ?? null}::timestamptz, now())`;
      // The middle of the interval decides; a report waits on a relay's disk for days at most.
      const hour = sql`date_trunc('hour', greatest(now() - interval '30 days',
        ${takenAt} - make_interval(secs => ${intervalMs / 2000})), 'UTC')`;
      const named = sql`jsonb_to_recordset(${JSON.stringify(entries)}::jsonb) as e(
        binding_id text, client_id bigint, user_id bigint, bytes_in bigint, bytes_out bigint, connections bigint)`;
      const applied = sql`
        with report as (
          insert into usage_reports (incarnation, sequence) values (${`${nodeId}/${incarnation}`}, ${sequence})
          on conflict do nothing returning sequence
        ), counted as (
          select e.* from ${named} where exists (select 1 from report)
        ), by_binding as (
          select split_part(binding_id, ':', 1) as kind, split_part(binding_id, ':', 2)::bigint as id,
            sum(bytes_in)::bigint as bytes_in, sum(bytes_out)::bigint as bytes_out,
            sum(connections)::bigint as connections
          from counted group by binding_id order by binding_id
        ), mappings as (
          update port_mappings m set total_bytes_in = m.total_bytes_in + b.bytes_in,
            total_bytes_out = m.total_bytes_out + b.bytes_out,
            total_connections = m.total_connections + b.connections, last_active_at = now()
          from by_binding b where b.kind = 'mapping' and b.id = m.mapping_id
        ), domains as (
          update http_domain_mappings d set total_bytes_in = d.total_bytes_in + b.bytes_in,
            total_bytes_out = d.total_bytes_out + b.bytes_out,
            total_connections = d.total_connections + b.connections, last_active_at = now()
          from by_binding b where b.kind = 'domain' and b.id = d.id
        ), by_client as (
          select client_id, sum(bytes_in)::bigint as bytes_in, sum(bytes_out)::bigint as bytes_out,
            sum(connections)::bigint as connections
          from counted group by client_id order by client_id
        ), clients_total as (
          update clients c set total_bytes_in = c.total_bytes_in + b.bytes_in,
            total_bytes_out = c.total_bytes_out + b.bytes_out, total_connections = c.total_connections + b.connections
          from by_client b where b.client_id = c.client_id
        ), rolled_up as (
          insert into usage_rollups as r
            (step, starts_at, binding_id, client_id, user_id, bytes_in, bytes_out, connections)
          select 'hour', ${hour}, u.* from (
            select binding_id, client_id, max(user_id) as user_id, sum(bytes_in), sum(bytes_out), sum(connections)
            from counted group by binding_id, client_id
            union all
            select ${`node:${nodeId}`}::text, 0, null, sum(bytes_in), sum(bytes_out), sum(connections)
            from counted having count(*) > 0
            order by 1, 2
          ) u
          on conflict (binding_id, client_id, step, starts_at) do update set user_id = excluded.user_id,
            bytes_in = r.bytes_in + excluded.bytes_in, bytes_out = r.bytes_out + excluded.bytes_out,
            connections = r.connections + excluded.connections
        ), bandwidth as (
          insert into user_bandwidth as b (user_id, node_id, taken_at, interval_ms, bytes)
          select user_id, ${nodeId}::text, ${takenAt}, ${intervalMs}::bigint, sum(bytes_in + bytes_out) from counted
          where user_id is not null and ${takenAt} > now() - make_interval(secs => ${LATE_S})
          group by user_id order by user_id
          on conflict (user_id, node_id) do update set taken_at = excluded.taken_at,
            interval_ms = excluded.interval_ms, reported_at = excluded.reported_at,
            bytes = excluded.bytes + case when b.taken_at = excluded.taken_at then b.bytes else 0 end
          where b.taken_at <= excluded.taken_at
        )
        insert into usage_monthly as t (user_id, month, bytes_in, bytes_out, connections)
        select c.user_id, date_trunc('month', now() at time zone 'utc')::date, sum(c.bytes_in), sum(c.bytes_out),
          sum(c.connections)
        from counted c join users u on u.user_id = c.user_id group by c.user_id order by c.user_id
        on conflict (user_id, month) do update set bytes_in = t.bytes_in + excluded.bytes_in,
          bytes_out = t.bytes_out + excluded.bytes_out, connections = t.connections + excluded.connections`;
      // A statement of its own: when a repetition has waited for the first to be counted, it must see the count.
      const allowances = sql`
        select w.user_id,
          case when l.monthly_traffic_limit is not null then
            greatest(0, l.monthly_traffic_limit - ${monthTrafficOf(sql`w.user_id`)})
          end as traffic_remaining_bytes
        from (select distinct e.user_id from ${named} join users u on u.user_id = e.user_id) w
        cross join lateral (${limitsOf(sql`w.user_id`)}) l`;
      return postgres.transaction(applied, allowances);
    },
  };
}
