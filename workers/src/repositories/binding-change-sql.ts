import { type SQL, sql } from 'drizzle-orm';
import { array } from './sql-parts.ts';

/** So many versions of a client's configuration can be missed by its agent; then it gets the whole. */
export const CONFIG_VERSIONS_KEPT = 1000;

/**
 * Parts of a statement, `bumped` and what follows from it: adds one to the configuration version of the clients in the
 * bigint array `client_ids` of each row of `from`, and notes that the row's `binding_id` changed with it.
 */
export function bumpClients(from: SQL): SQL {
  return sql`bumped as (
    update clients set config_version = config_version + 1
    where client_id in (select unnest(f.client_ids) from ${from} f)
    returning client_id, config_version
  ), change_noted as (
    insert into client_config_changes (client_id, config_version, binding_id)
    select distinct b.client_id, b.config_version, f.binding_id
    from ${from} f cross join lateral unnest(f.client_ids) named (client_id) join bumped b on b.client_id = named.client_id
  ), change_forgotten as (
    delete from client_config_changes old using bumped b
    where old.client_id = b.client_id and old.config_version <= b.config_version - ${CONFIG_VERSIONS_KEPT}
  )`;
}

/**
 * Notes new configuration versions with which no binding of the agent's changed: without a note the agent would have to
 * get everything. One statement, over rows with `client_id` and `config_version`.
 */
export function noteOtherChange(from: SQL): SQL {
  return sql`
    insert into client_config_changes (client_id, config_version, binding_id)
    select f.client_id, f.config_version, '' from ${from} f`;
}

/**
 * `insert into outbox` of a binding's change for each row of `from`, which has `binding_id`, `endpoint`, `version`,
 * `deleted` and `client_ids`.
 */
export function insertBindingChange(from: SQL): SQL {
  return sql`
    insert into outbox (kind, binding_id, endpoint, version, deleted, client_ids)
    select 'binding_changed', f.binding_id, f.endpoint, f.version, f.deleted, f.client_ids from ${from} f
    returning id`;
}

/** Ids without repetition as an array parameter. */
export function clientIds(...ids: (number | null)[]): SQL {
  return array([...new Set(ids.filter((id) => id !== null))], 'bigint');
}
