import { type SQL, sql } from 'drizzle-orm';

/** Of more changes the whole is not larger than what it takes to tell them. */
const CHANGES_MAX = 1000;

/**
 * One row for client `c`: `changed`, the ids of the bindings that changed since its configuration had version `since`
 * (`''`: a version with which none did). Null unless every version in between has left a note: one that was forgotten,
 * or made by a version of the Worker that writes none, costs the whole configuration and never a wrong one.
 */
export function changesSince(since: number | null): SQL {
  if (since === null) return sql`select null::text[] as changed`;
  return sql`
    select case when c.config_version >= ${since} and count(*) <= ${CHANGES_MAX}
        and count(distinct n.config_version) = c.config_version - ${since}
      then coalesce(array_agg(distinct n.binding_id), '{}') end as changed
    from (
      select ch.config_version, ch.binding_id from client_config_changes ch
      where ch.client_id = c.client_id and ch.config_version > ${since} and ch.config_version <= c.config_version
      limit ${CHANGES_MAX + 1}
    ) n`;
}
