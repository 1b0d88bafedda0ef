import { type SQL, sql } from 'drizzle-orm';
import { array } from './sql-parts.ts';

/** Adds one to the configuration version of the clients in the bigint array `ids` of each row of `from`. */
export function bumpClients(from: SQL): SQL {
  return sql`update clients set config_version = config_version + 1
    where client_id in (select unnest(f.client_ids) from ${from} f)`;
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
