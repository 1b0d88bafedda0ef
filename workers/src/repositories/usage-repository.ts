import { ulidTimeMs } from '@tunnox/domain/ulid';
import { sql } from 'drizzle-orm';
import type { UsageRepository } from '../services/live-ports.ts';
import { anonymousTrafficOf, limitsOf, monthTrafficOf } from './limits-sql.ts';
import type { Postgres } from './postgres.ts';
import { array } from './sql-parts.ts';

/** Relays of 0.1 do not say for how long they counted: this is their rhythm. */
const INTERVAL_MS = 60_000;

/** What was taken longer ago says nothing of the present bandwidth; clocks may differ by minutes. */
const LATE_S = 300;

/** A report waits on a relay's disk for days at most; its clock may be wrong. */
const AGE_MS_MAX = 30 * 86_400_000;

interface AllowanceRow {
  user_id: number | null;
  client_id: number | null;
  traffic_remaining_bytes: number | null;
}

/**
 * Adds relays' counts, once for each (relay, incarnation, sequence): the report's rows decide, in the same statement.
 * They bear the relay's name as well, so that no relay can use up another's numbers: its key, which it keeps when its
 * node id changes hands while reports lie on its disk, and its node id, by which earlier versions know a report.
 *
 * @param now Milliseconds since 1970: which month it is.
 */
export function createUsageRepository(postgres: Postgres, now: () => number): UsageRepository {
  return {
    async add({ nodeId, fingerprint }, report) {
      const { incarnation, sequence, entries, taken_at, interval_ms: intervalMs = INTERVAL_MS, asking } = report;
      const nowMs = now();
      const today = sql`${new Date(nowMs).toISOString()}::timestamptz`;
      const takenAtMs = Math.min(nowMs, taken_at === undefined ? nowMs : Date.parse(taken_at));
      const takenAt = sql`${new Date(takenAtMs).toISOString()}::timestamptz`;
      // The middle of the interval decides. Before the run that counted had begun, nothing was counted.
      const begunMs = Math.min(ulidTimeMs(incarnation), nowMs);
      const countedMs = Math.max(nowMs - AGE_MS_MAX, begunMs, takenAtMs - intervalMs / 2);
      const countedAt = sql`${new Date(countedMs).toISOString()}::timestamptz`;
      const hour = sql`date_trunc('hour', ${countedAt}, 'UTC')`;
      const names = [nodeId, ...(fingerprint === null ? [] : [fingerprint])].map((name) => `${name}/${incarnation}`);
      const named = sql`jsonb_to_recordset(${JSON.stringify(entries)}::jsonb) as e(
        binding_id text, client_id bigint, user_id bigint, bytes_in bigint, bytes_out bigint, connections bigint)`;
      const applied = sql`
        with report as (
          insert into usage_reports (incarnation, sequence)
          select name, ${sequence}::bigint from unnest(${array(names, 'text')}) name order by name
          on conflict do nothing returning sequence
        ), counted as (
          select e.* from ${named} where (select count(*) from report) = ${names.length}
        ), by_binding as (
          select split_part(binding_id, ':', 1) as kind, split_part(binding_id, ':', 2)::bigint as id,
            sum(bytes_in)::bigint as bytes_in, sum(bytes_out)::bigint as bytes_out,
            sum(connections)::bigint as connections
          from counted group by binding_id order by binding_id
        ), mappings as (
          update port_mappings m set total_bytes_in = m.total_bytes_in + b.bytes_in,
            total_bytes_out = m.total_bytes_out + b.bytes_out,
            total_connections = m.total_connections + b.connections,
            last_active_at = greatest(m.last_active_at, ${countedAt})
          from by_binding b where b.kind = 'mapping' and b.id = m.mapping_id
        ), domains as (
          update http_domain_mappings d set total_bytes_in = d.total_bytes_in + b.bytes_in,
            total_bytes_out = d.total_bytes_out + b.bytes_out,
            total_connections = d.total_connections + b.connections,
            last_active_at = greatest(d.last_active_at, ${countedAt})
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
          where user_id is not null and ${takenAt} > ${today} - make_interval(secs => ${LATE_S})
          group by user_id order by user_id
          on conflict (user_id, node_id) do update set taken_at = excluded.taken_at,
            interval_ms = excluded.interval_ms, reported_at = excluded.reported_at,
            bytes = excluded.bytes + case when b.taken_at = excluded.taken_at then b.bytes else 0 end
          where b.taken_at <= excluded.taken_at
        )
        insert into usage_monthly as t (user_id, month, bytes_in, bytes_out, connections)
        select c.user_id, date_trunc('month', ${countedAt} at time zone 'utc')::date, sum(c.bytes_in), sum(c.bytes_out),
          sum(c.connections)
        from counted c join users u on u.user_id = c.user_id group by c.user_id order by c.user_id
        on conflict (user_id, month) do update set bytes_in = t.bytes_in + excluded.bytes_in,
          bytes_out = t.bytes_out + excluded.bytes_out, connections = t.connections + excluded.connections`;
      // A statement of its own: when a repetition has waited for the first to be counted, it must see the count.
      const allowances = sql`
        select w.user_id, w.client_id,
          case when l.monthly_traffic_limit is not null then
            greatest(0, l.monthly_traffic_limit - case when w.user_id is not null
              then ${monthTrafficOf(sql`w.user_id`, today)} else ${anonymousTrafficOf(sql`w.client_id`)} end)
          end as traffic_remaining_bytes
        from (
          select u.user_id, null::bigint as client_id from users u where u.user_id in (
            select e.user_id from ${named} union select unnest(${array(asking?.user_ids ?? [], 'bigint')}))
          union all
          select null, c.client_id from clients c where c.user_id is null and c.client_id in (
            select e.client_id from ${named} where e.user_id is null
            union select unnest(${array(asking?.client_ids ?? [], 'bigint')}))
        ) w cross join lateral (${limitsOf(sql`w.user_id`)}) l`;
      const rows = await postgres.transaction<AllowanceRow>(applied, allowances);
      return {
        allowances: rows.flatMap(({ user_id, traffic_remaining_bytes }) =>
          user_id === null ? [] : [{ user_id, traffic_remaining_bytes }],
        ),
        client_allowances: rows.flatMap(({ client_id, traffic_remaining_bytes }) =>
          client_id === null ? [] : [{ client_id, traffic_remaining_bytes }],
        ),
      };
    },
  };
}
