import { type SQL, sql } from 'drizzle-orm';

/**
 * Goes before such a statement in its transaction: it compares sets of which the planner knows nothing, and takes them for
 * small. By hashing that is some milliseconds for thousands, in nested loops seconds.
 */
export const COMPARE_BY_HASH = sql`select set_config('enable_nestloop', 'off', true), set_config('jit', 'off', true)`;

/**
 * The end of a statement whose `wished` has rows of (zone_id, type, name, value, ttl, owner_type, owner_id, present,
 * wait_s): makes what is missing, and marks what no wish names for deletion. A wish that is not `present` keeps a record
 * that is there and makes none. Records that people have made are never touched, nor is a name that they use otherwise.
 * Its rows are the zones that have changed.
 *
 * @param scope Condition on `r`: the automatic records that `wished` says everything about.
 */
export function changeRecords(scope: SQL): SQL {
  return sql`
    wanted as (
      select distinct on (zone_id, type, name, value) * from wished
      order by zone_id, type, name, value, present desc, owner_type desc, owner_id
    ), missing as materialized (
      select w.* from wanted w
      where w.present and not exists (select from domain_dns_records r
        where r.zone_id = w.zone_id and r.type = w.type and r.name = w.name and r.value = w.value and r.ttl = w.ttl
          and r.owner_type = w.owner_type and r.owner_id = w.owner_id and r.automatic and r.desired_state = 'present'
          and ${scope})
    ), made as (
      insert into domain_dns_records as r (zone_id, type, name, value, ttl, owner_type, owner_id, automatic, next_retry_at)
      select w.zone_id, w.type, w.name, w.value,
        -- A set has one TTL, and people's own have set it.
        coalesce((select b.ttl from domain_dns_records b where b.zone_id = w.zone_id and b.name = w.name
          and b.type = w.type and b.desired_state = 'present' and not b.automatic limit 1), w.ttl),
        w.owner_type, w.owner_id, true, now() + make_interval(secs => w.wait_s)
      from missing w
      where not exists (
        select from domain_dns_records b where b.zone_id = w.zone_id and b.name = w.name
          and b.desired_state = 'present' and not b.automatic and (b.type = 'CNAME' or w.type = 'CNAME'))
      on conflict (zone_id, type, name, value) do update set desired_state = 'present', automatic = true,
        ttl = excluded.ttl, owner_type = excluded.owner_type, owner_id = excluded.owner_id,
        ${dueNow('excluded.next_retry_at')}
        where r.desired_state = 'absent'
          or (r.automatic and (r.ttl, r.owner_type, r.owner_id) is distinct from (excluded.ttl, excluded.owner_type, excluded.owner_id))
      returning r.zone_id
    ), gone as (
      update domain_dns_records r set desired_state = 'absent', ${dueNow('now()')}
      where r.automatic and r.desired_state = 'present' and ${scope}
        and not exists (select from wanted w where w.zone_id = r.zone_id and w.type = r.type and w.name = r.name
          and w.value = r.value)
      returning r.zone_id
    )
    select zone_id from made union select zone_id from gone`;
}

/** What makes a row `r` due, with its tries counted from the beginning. */
function dueNow(at: string): SQL {
  return sql.raw(`status = 'pending', next_retry_at = ${at}, retry_count = 0, last_error = null,
    last_error_code = null, updated_at = now(), row_version = r.row_version + 1`);
}
