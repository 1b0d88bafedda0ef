import { sql } from 'drizzle-orm';
import type { LeasedZone, ZoneOutlook, ZoneRow, ZoneRunRepository } from '../dns-sync/zone-run-ports.ts';
import type { Postgres } from './postgres.ts';
import { isHeld, type ReconcilerClock, reconcilerNow } from './zone-clock.ts';
import { markRunning, writeResults } from './zone-row-sql.ts';

/** Owners whose records come and go by themselves. */
const EXEMPT = sql.raw(`(r.owner_type in ('node_group', 'line_group', 'acme_challenge')
  or (r.automatic and r.owner_type = 'website_domain' and r.type in ('A', 'AAAA')))`);

/** Counts the runs of `done`. */
const ADD_TO_TOTALS = sql.raw(`
  insert into dns_run_totals as t (zone_id, kind, status, runs, provider_calls, failed_records, seconds)
  select zone_id, kind, status, count(*), sum(provider_calls), sum(coalesce((counts->>'failed')::int, 0)),
    sum(extract(epoch from finished_at - started_at)) from done group by zone_id, kind, status
  on conflict (zone_id, kind, status) do update set runs = t.runs + excluded.runs,
    provider_calls = t.provider_calls + excluded.provider_calls,
    failed_records = t.failed_records + excluded.failed_records, seconds = t.seconds + excluded.seconds`);

/** Zones that nobody has worked on for this time may have lost their alarm. */
const NEGLECT = sql.raw(`interval '2 minutes'`);
const NEGLECTED_PASS = sql.raw(`interval '20 minutes'`);

/**
 * Zones, rows and runs of the reconciler; `fence` decides in the statement itself.
 *
 * @param clock Leases and times of rows go by the database's clock, moved by so much: for tests.
 */
export function createZoneRunRepository(postgres: Postgres, clock: ReconcilerClock = {}): ZoneRunRepository {
  const now = () => reconcilerNow(clock);
  const inS = (seconds: number) => sql`${now()} + make_interval(secs => ${seconds})`;
  const isFree = () => sql`(z.lease_until is null or z.lease_until <= ${now()})`;
  const msBetween = (from: ReturnType<typeof sql>, to: ReturnType<typeof sql>) =>
    sql`(extract(epoch from ${to} - ${from}) * 1000)::float8`;
  return {
    async take(zoneId, holder, leaseS) {
      // What a run has left in `running` that died is due again: its fence is older than this one.
      const [zone] = await postgres.query<LeasedZone>(sql`
        with taken as (
          update dns_zones z set lease_holder = ${holder}, lease_until = ${inS(leaseS)}, fence = z.fence + 1
          where z.zone_id = ${zoneId} and ${isFree()}
          returning *
        ), orphaned as (
          update domain_dns_records r set status = 'pending', next_retry_at = ${now()}, run_fence = null
          from taken z where r.zone_id = z.zone_id and r.status = 'running' and r.run_fence < z.fence
        ), cut_short as (
          update dns_runs n set status = 'failed', error = 'The run was cut short', finished_at = ${now()}
          from taken z where n.zone_id = z.zone_id and n.status = 'running' returning n.*
        ), done as (select * from cut_short), counted as (${ADD_TO_TOTALS})
        select z.zone_id as "zoneId", z.domain, z.credential_id as "credentialId",
          z.provider_zone_id as "providerZoneId", z.tag, z.policy, z.guard_share::float8 as "guardShare", z.fence
        from taken z`);
      return zone ?? null;
    },

    async extend(zoneId, fence, leaseS) {
      const rows = await postgres.query(sql`
        update dns_zones z set lease_until = ${inS(leaseS)}
        where z.zone_id = ${zoneId} and z.fence = ${fence} and z.lease_until > ${now()} returning z.zone_id`);
      return rows.length > 0;
    },

    async release(zoneId, fence) {
      await postgres.query(sql`
        update dns_zones set lease_holder = null, lease_until = null, ran_at = ${now()}
        where zone_id = ${zoneId} and fence = ${fence}`);
    },

    rows: (zoneId) =>
      postgres.query<ZoneRow>(sql`
        select r.record_id as id, r.type, r.name, r.value, r.ttl, r.proxied, r.desired_state as state,
          r.provider_record_id as "providerRecordId", ${EXEMPT} as exempt, r.row_version as version,
          r.retry_count as "retryCount", r.owner_type as "ownerType", r.owner_id as "ownerId",
          case when r.next_retry_at is null then 'never' when r.next_retry_at <= ${now()} then 'now' else 'later' end as due
        from domain_dns_records r where r.zone_id = ${zoneId} order by r.record_id`),

    async outlook(zoneId) {
      // A row that a run has left which died is due when the lease of that run ends.
      const dueAt = sql`case when r.status = 'running' then coalesce(z.lease_until, ${now()}) else r.next_retry_at end`;
      const [row] = await postgres.query<Omit<ZoneOutlook, 'isDue'>>(sql`
        select case when next.due_at is not null then greatest(0, ${msBetween(now(), sql`next.due_at`)}) end
          as "nextDueInMs", ${msBetween(sql`z.full_pass_at`, now())} as "fullPassAgoMs"
        from dns_zones z, lateral (select min(${dueAt}) as due_at from domain_dns_records r
          where r.zone_id = z.zone_id and (r.next_retry_at is not null or r.status = 'running')) next
        where z.zone_id = ${zoneId}`);
      if (row === undefined) return null;
      return { ...row, isDue: row.nextDueInMs === 0 };
    },

    async neglected(limit) {
      const rows = await postgres.query<{ zone_id: number }>(sql`
        select z.zone_id from dns_zones z
        where ${isFree()} and coalesce(z.ran_at, z.created_at) < ${now()} - ${NEGLECT} and (
          coalesce(z.full_pass_at, z.created_at) < ${now()} - ${NEGLECTED_PASS}
          or exists (select 1 from domain_dns_records r where r.zone_id = z.zone_id
            and (r.next_retry_at < ${now()} - ${NEGLECT} or r.status = 'running')))
        order by z.ran_at nulls first, z.zone_id limit ${limit}`);
      return rows.map((row) => row.zone_id);
    },

    markRunning: async (zoneId, fence, rows) => {
      const marked = await postgres.query<{ record_id: number }>(markRunning(clock, zoneId, fence, rows));
      return marked.map((row) => row.record_id);
    },

    write: async (zoneId, fence, results) => {
      const [row] = await postgres.query<{ held: boolean }>(writeResults(clock, zoneId, fence, results));
      return row?.held === true;
    },

    async noteZone(zoneId, fence, { providerZoneId, error, fullPass = false }) {
      await postgres.query(sql`
        update dns_zones set
          provider_zone_id = coalesce(${providerZoneId ?? null}::text, provider_zone_id),
          status = case when ${error === undefined} then status when ${error ?? null}::text is null then 'active'
            else 'error' end,
          last_error = case when ${error === undefined} then last_error else ${error ?? null}::text end,
          full_pass_at = case when ${fullPass} then ${now()} else full_pass_at end
        where zone_id = ${zoneId} and ${isHeld(clock, zoneId, fence)}`);
    },

    async startRun({ zoneId, kind }) {
      const [row] = await postgres.query<{ run_id: number }>(sql`
        insert into dns_runs (zone_id, kind, status, started_at) values (${zoneId}, ${kind}, 'running', ${now()})
        returning run_id`);
      if (row === undefined) throw new Error('Cannot start a run: no row was made');
      return row.run_id;
    },

    async finishRun(runId, { status, plan, counts, planHash, providerCalls, error }) {
      await postgres.query(sql`
        with done as (
          update dns_runs set status = ${status}, plan = ${JSON.stringify(plan)}::jsonb,
            counts = ${JSON.stringify(counts)}::jsonb, plan_hash = ${planHash}, provider_calls = ${providerCalls},
            error = ${error}, finished_at = ${now()}
          where run_id = ${runId} and status = 'running' returning *
        ) ${ADD_TO_TOTALS}`);
    },
  };
}
