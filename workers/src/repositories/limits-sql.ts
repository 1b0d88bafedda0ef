import { type SQL, sql } from 'drizzle-orm';

/**
 * Limits in force for a user (anonymous clients: the plan `anonymous`), one row; null = unlimited. The columns bear the
 * names of the API.
 */
export const limitsOf = (userId: SQL): SQL => sql`
  select
    nullif(coalesce(q.max_clients, p.max_clients), -1) as max_clients,
    nullif(coalesce(q.max_mappings, p.max_mappings), -1) as max_mappings,
    nullif(coalesce(q.max_active_mappings, p.max_active_mappings), -1) as max_active_mappings,
    nullif(coalesce(q.max_connections_per_mapping, p.max_connections_per_mapping), -1) as max_connections_per_mapping,
    nullif(coalesce(q.total_bandwidth_limit, p.total_bandwidth_limit), -1) as total_bandwidth_limit,
    nullif(coalesce(q.monthly_traffic_limit, p.monthly_traffic_limit), -1) as monthly_traffic_limit
  from plans p left join user_quotas q on q.user_id = ${userId}
  where p.name = coalesce((select o.plan from users o where o.user_id = ${userId}), 'anonymous')`;

/** Bytes that the user has moved this calendar month (UTC). */
export const monthTrafficOf = (userId: SQL): SQL => sql`coalesce((
  select t.bytes_in + t.bytes_out from usage_monthly t
  where t.user_id = ${userId} and t.month = date_trunc('month', now() at time zone 'utc')::date), 0)`;

/** Mappings and domains of a user together: that is what max_mappings counts. */
export function mappingCount(userId: SQL): SQL {
  return sql`((select count(*) from port_mappings m where m.user_id = ${userId})
    + (select count(*) from http_domain_mappings d where d.user_id = ${userId}))`;
}
