import { type SQL, sql } from 'drizzle-orm';

/** Clients that serve a mapping or a domain, the first first. @param condition On endpoint_upstreams `e`. */
export function upstreamRows(condition: SQL): SQL {
  return sql`(select coalesce(jsonb_agg(jsonb_build_object('client_id', e.client_id, 'weight', e.weight, 'priority',
    e.priority) order by e.priority, e.client_id), '[]') from endpoint_upstreams e where ${condition})`;
}

/**
 * What agents have reported that they could not do of a binding.
 *
 * @param bindingId Expression; text.
 * @param condition On clients `c`: those that the binding concerns.
 */
export function problemsOf(bindingId: SQL, condition: SQL): SQL {
  return sql`(select coalesce(jsonb_agg(jsonb_build_object('client_id', c.client_id, 'code', p ->> 'code', 'message',
    p ->> 'message') order by c.client_id), '[]')
    from clients c cross join lateral jsonb_array_elements(c.config_problems) p
    where (${condition}) and p ->> 'binding_id' = ${bindingId})`;
}
