import { sql } from 'drizzle-orm';
import type { LeasedZone, RowResult, ZoneRow, ZoneRunRepository } from '../dns-sync/zone-run-ports.ts';
import type { Postgres } from './postgres.ts';

/** Owners whose records follow relays by themselves. */
const EXEMPT = sql.raw(`r.owner_type in ('node_group', 'line_group')`);

const epochMs = (column: string) => sql.raw(`(extract(epoch from ${column}) * 1000)::bigint`);

/** The fence is still the zone's: part of every statement by which a run writes. */
const held = (zoneId: number, fence: number) =>
  sql`exists (select 1 from dns_zones z where z.zone_id = ${zoneId} and z.fence = ${fence} and z.lease_until > now())`;

/** Zones, rows and runs of the reconciler; `fence` decides in the statement itself. */
export function createZoneRunRepository(postgres: Postgres): ZoneRunRepository {
  return {
    async take(zoneId, holder, leaseS) {
      // What a run has left in `running` that died is due again: its fence is older than this one.
      const [zone] = await postgres.query<LeasedZone>(sql`
        with taken as (
          update dns_zones z set lease_holder = ${holder}, lease_until = now() + make_interval(secs => ${leaseS}),
            fence = z.fence + 1
          where z.zone_id = ${zoneId} and (z.lease_until is null or z.lease_until <= now())
          returning *
        ), orphaned as (
          update domain_dns_records r set status = 'pending', next_retry_at = now(), run_fence = null
          from taken z where r.zone_id = z.zone_id and r.status = 'running' and r.run_fence < z.fence
        )
        select z.zone_id as "zoneId", z.domain, z.credential_id as "credentialId",
          z.provider_zone_id as "providerZoneId", z.tag, z.policy, z.guard_share::float8 as "guardShare",
          ${epochMs('z.full_pass_at')} as "fullPassAtMs", z.fence
        from taken z`);
      return zone ?? null;
    },

    async extend(zoneId, fence, leaseS) {
      const rows = await postgres.query(sql`
        update dns_zones z set lease_until = now() + make_interval(secs => ${leaseS})
        where z.zone_id = ${zoneId} and z.fence = ${fence} and z.lease_until > now() returning z.zone_id`);
      return rows.length > 0;
    },

    async release(zoneId, fence) {
      await postgres.query(sql`
        update dns_zones set lease_holder = null, lease_until = null where zone_id = ${zoneId} and fence = ${fence}`);
    },

    rows: (zoneId) =>
      postgres.query<ZoneRow>(sql`
        select r.record_id as id, r.type, r.name, r.value, r.ttl, r.proxied, r.desired_state as state,
          r.provider_record_id as "providerRecordId", ${EXEMPT} as exempt, r.row_version as version,
          r.retry_count as "retryCount", ${epochMs('r.next_retry_at')} as "dueAtMs",
          r.owner_type as "ownerType", r.owner_id as "ownerId"
        from domain_dns_records r where r.zone_id = ${zoneId} order by r.record_id`),

    async countDue(zoneId) {
      const [row] = await postgres.query<{ due: number }>(sql`
        select count(*) as due from domain_dns_records r
        where r.zone_id = ${zoneId} and r.next_retry_at <= now()`);
      return row?.due ?? 0;
    },

    async fullPassAtMs(zoneId) {
      const [row] = await postgres.query<{ at: number | null }>(
        sql`select ${epochMs('z.full_pass_at')} as at from dns_zones z where z.zone_id = ${zoneId}`,
      );
      return row?.at;
    },

    async neglected(limit) {
      const rows = await postgres.query<{ zone_id: number }>(sql`
        select z.zone_id from dns_zones z
        where (z.lease_until is null or z.lease_until <= now()) and (
          coalesce(z.full_pass_at, z.created_at) < now() - interval '20 minutes'
          or exists (select 1 from domain_dns_records r where r.zone_id = z.zone_id
            and (r.next_retry_at < now() - interval '2 minutes'
              or (r.status = 'running' and r.updated_at < now() - interval '2 minutes'))))
        order by z.zone_id limit ${limit}`);
      return rows.map((row) => row.zone_id);
    },

    async nextDueAtMs(zoneId) {
      const [row] = await postgres.query<{ at: number | null }>(sql`
        select ${epochMs('min(r.next_retry_at)')} as at from domain_dns_records r where r.zone_id = ${zoneId}`);
      return row?.at ?? null;
    },

    async markRunning(zoneId, fence, rows) {
      const marked = await postgres.query<{ record_id: number }>(sql`
        update domain_dns_records r set status = 'running', run_fence = ${fence}, updated_at = now()
        from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as w("recordId" bigint, version bigint)
        where r.zone_id = ${zoneId} and r.record_id = w."recordId" and r.row_version = w.version
          and (r.status <> 'running' or r.run_fence = ${fence}) and ${held(zoneId, fence)}
        returning r.record_id`);
      return marked.map((row) => row.record_id);
    },

    async write(zoneId, fence, results) {
      const [row] = await postgres.query<{ held: boolean }>(sql`
        with results as (
          select w.* from jsonb_to_recordset(${JSON.stringify(results.map(toRow))}::jsonb) as w(
            record_id bigint, version bigint, kind text, provider_record_id text, code text, message text,
            retry_count int, due_in_s float8)
          where ${held(zoneId, fence)}
        ), gone as (
          delete from domain_dns_records r using results w
          where w.kind = 'absent' and r.record_id = w.record_id and r.desired_state = 'absent'
        ), wanted_again as (
          -- It was asked for again while it was being deleted.
          update domain_dns_records r set status = 'pending', next_retry_at = now(), provider_record_id = null,
            run_fence = null, updated_at = now()
          from results w where w.kind = 'absent' and r.record_id = w.record_id and r.desired_state = 'present'
        ), done as (
          -- A wish that was changed meanwhile stays due: only what was read is done.
          update domain_dns_records r set provider_record_id = w.provider_record_id, run_fence = null,
            status = case when r.row_version = w.version then 'active' else 'pending' end,
            next_retry_at = case when r.row_version = w.version then null else now() end,
            retry_count = 0, last_error = null, last_error_code = null, synced_at = now(), updated_at = now()
          from results w where w.kind = 'active' and r.record_id = w.record_id
        ), failed as (
          update domain_dns_records r set status = case when r.row_version = w.version then 'error' else 'pending' end,
            run_fence = null, retry_count = case when r.row_version = w.version then w.retry_count else 0 end,
            next_retry_at = case when r.row_version <> w.version then now()
              when w.due_in_s is null then null else now() + make_interval(secs => w.due_in_s) end,
            last_error = w.message, last_error_code = w.code, updated_at = now()
          from results w where w.kind = 'failed' and r.record_id = w.record_id
        ), later as (
          update domain_dns_records r set status = case when r.status = 'running' then 'pending' else r.status end,
            run_fence = null, last_error = w.message, last_error_code = 'held', updated_at = now(),
            next_retry_at = now() + make_interval(secs => w.due_in_s)
          from results w where w.kind = 'held' and r.record_id = w.record_id and r.row_version = w.version
        )
        select ${held(zoneId, fence)} as held`);
      return row?.held === true;
    },

    async noteZone(zoneId, fence, { providerZoneId, error, fullPass = false }) {
      await postgres.query(sql`
        update dns_zones set
          provider_zone_id = coalesce(${providerZoneId ?? null}::text, provider_zone_id),
          status = case when ${error === undefined} then status when ${error ?? null}::text is null then 'active'
            else 'error' end,
          last_error = case when ${error === undefined} then last_error else ${error ?? null}::text end,
          full_pass_at = case when ${fullPass} then now() else full_pass_at end
        where zone_id = ${zoneId} and fence = ${fence}`);
    },

    async startRun({ zoneId, kind }) {
      const [row] = await postgres.query<{ run_id: number }>(sql`
        insert into dns_runs (zone_id, kind, status) values (${zoneId}, ${kind}, 'running') returning run_id`);
      if (row === undefined) throw new Error('Cannot start a run: no row was made');
      return row.run_id;
    },

    async finishRun(runId, { status, plan, counts, planHash, providerCalls, error }) {
      await postgres.query(sql`
        update dns_runs set status = ${status}, plan = ${JSON.stringify(plan)}::jsonb,
          counts = ${JSON.stringify(counts)}::jsonb, plan_hash = ${planHash}, provider_calls = ${providerCalls},
          error = ${error}, finished_at = now()
        where run_id = ${runId}`);
    },
  };
}

function toRow(result: RowResult): Record<string, unknown> {
  const { recordId: record_id, version, kind } = result;
  switch (result.kind) {
    case 'active':
      return { record_id, version, kind, provider_record_id: result.providerRecordId };
    case 'absent':
      return { record_id, version, kind };
    case 'failed': {
      const { code, message, retryCount: retry_count, dueInS: due_in_s } = result;
      return { record_id, version, kind, code, message, retry_count, due_in_s };
    }
    case 'held':
      return { record_id, version, kind, message: result.message, due_in_s: result.dueInS };
  }
}
