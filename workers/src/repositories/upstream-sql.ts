import { type SQL, sql } from 'drizzle-orm';
import type { UpstreamRow } from '../services/binding-ports.ts';

/** Whose clients may serve. */
interface UpstreamOwner {
  userId: number | null;
  namespaceId: number | null;
}

/**
 * Those of the clients that are (still) of this owner and team, with weight and priority. Whoever uses it demands all of
 * them, see allWanted().
 */
export function wantedUpstreams(upstreams: readonly UpstreamRow[], { userId, namespaceId }: UpstreamOwner): SQL {
  return sql`select c.client_id, w.weight, w.priority
    from jsonb_to_recordset(${JSON.stringify(upstreams)}::jsonb) as w (client_id bigint, weight int, priority int)
    join clients c on c.client_id = w.client_id
    where c.user_id is not distinct from ${userId}::bigint and c.namespace_id is not distinct from ${namespaceId}::bigint
      and c.lifecycle <> 'claimed'`;
}

/** Condition: none of the clients was deleted or given away meanwhile. The part `wanted` holds wantedUpstreams(). */
export function allWanted(upstreams: readonly UpstreamRow[]): SQL {
  return sql`(select count(*) from wanted) = ${upstreams.length}`;
}

/** Parts of a statement: the clients of the part `wanted` serve each row of `changed` from now on, and nobody else. */
export function replaceUpstreams(column: 'mapping_id' | 'domain_id', changedId: string): SQL {
  const [target, id] = [sql.raw(column), sql.raw(changedId)];
  return sql`upstreams_gone as (
    delete from endpoint_upstreams e using changed where e.${target} = changed.${id}
      and e.client_id not in (select client_id from wanted)
  ), upstreams_set as (
    insert into endpoint_upstreams (${target}, client_id, weight, priority)
    select changed.${id}, wanted.client_id, wanted.weight, wanted.priority from changed cross join wanted
    on conflict (${target}, client_id) do update set weight = excluded.weight, priority = excluded.priority
  )`;
}
