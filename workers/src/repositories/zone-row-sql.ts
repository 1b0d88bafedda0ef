import { type SQL, sql } from 'drizzle-orm';
import type { RowResult } from '../dns-sync/zone-run-ports.ts';
import { isHeld, type ReconcilerClock, reconcilerNow } from './zone-clock.ts';

/** Puts rows into `running` that are still as they were read; one that is `running` already is somebody else's. */
export function markRunning(
  clock: ReconcilerClock,
  zoneId: number,
  fence: number,
  rows: readonly { recordId: number; version: number }[],
): SQL {
  return sql`
    update domain_dns_records r set status = 'running', run_fence = ${fence}, updated_at = ${reconcilerNow(clock)}
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as w("recordId" bigint, version bigint)
    where r.zone_id = ${zoneId} and r.record_id = w."recordId" and r.row_version = w.version
      and (r.status <> 'running' or r.run_fence = ${fence}) and ${isHeld(clock, zoneId, fence)}
    returning r.record_id`;
}

/** Writes what a run says of rows. Row of the answer: `held`, whether the lease still is. */
export function writeResults(
  clock: ReconcilerClock,
  zoneId: number,
  fence: number,
  results: readonly RowResult[],
): SQL {
  const now = reconcilerNow(clock);
  const held = isHeld(clock, zoneId, fence);
  return sql`
    with results as (
      select w.* from jsonb_to_recordset(${JSON.stringify(results.map(toRow))}::jsonb) as w(
        record_id bigint, version bigint, kind text, provider_record_id text, code text, message text,
        retry_count int, due_in_s float8)
      where ${held}
    ), gone as (
      delete from domain_dns_records r using results w
      where w.kind = 'absent' and r.record_id = w.record_id and r.desired_state = 'absent'
    ), wanted_again as (
      -- It was asked for again while it was being deleted.
      update domain_dns_records r set status = 'pending', next_retry_at = ${now}, provider_record_id = null,
        run_fence = null, updated_at = ${now}
      from results w where w.kind = 'absent' and r.record_id = w.record_id and r.desired_state = 'present'
    ), done as (
      -- A wish that was changed meanwhile stays due: only what was read is done.
      update domain_dns_records r set provider_record_id = w.provider_record_id, run_fence = null,
        status = case when r.row_version = w.version then 'active' else 'pending' end,
        next_retry_at = case when r.row_version = w.version then null else ${now} end,
        retry_count = 0, last_error = null, last_error_code = null, synced_at = ${now}, updated_at = ${now}
      from results w where w.kind = 'active' and r.record_id = w.record_id
    ), failed as (
      update domain_dns_records r set status = case when r.row_version = w.version then 'error' else 'pending' end,
        run_fence = null, retry_count = case when r.row_version = w.version then w.retry_count else 0 end,
        next_retry_at = case when r.row_version <> w.version then ${now}
          when w.due_in_s is null then null else ${now} + make_interval(secs => w.due_in_s) end,
        last_error = w.message, last_error_code = w.code, updated_at = ${now}
      from results w where w.kind = 'failed' and r.record_id = w.record_id
    ), later as (
      update domain_dns_records r set status = case when r.status = 'running' then 'pending' else r.status end,
        run_fence = null, last_error = w.message, last_error_code = 'held', updated_at = ${now},
        next_retry_at = ${now} + make_interval(secs => w.due_in_s)
      from results w where w.kind = 'held' and r.record_id = w.record_id and r.row_version = w.version
    )
    select ${held} as held`;
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
