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

/**
 * Bytes that the user has moved in a calendar month (UTC).
 *
 * @param at A moment of the month; absent: this month.
 */
export const monthTrafficOf = (userId: SQL, at: SQL = sql`now()`): SQL => sql`coalesce((
  select t.bytes_in + t.bytes_out from usage_monthly t
  where t.user_id = ${userId} and t.month = date_trunc('month', ${at} at time zone 'utc')::date), 0)`;

/** Bytes that an anonymous client has moved. It lives shorter than a month: its traffic is that of what it serves. */
export const anonymousTrafficOf = (clientId: SQL): SQL => sql`(
  coalesce((select sum(m.total_bytes_in + m.total_bytes_out)::bigint from port_mappings m
    where m.mapping_id in (select e.mapping_id from endpoint_upstreams e where e.client_id = ${clientId})), 0)
  + coalesce((select sum(d.total_bytes_in + d.total_bytes_out)::bigint from http_domain_mappings d
    where d.id in (select e.domain_id from endpoint_upstreams e where e.client_id = ${clientId})), 0))`;

/**
 * Mappings, domains and routes of a user together: that is what max_mappings counts. What has ended does not count, whether
 * or not the sweep has been there: it is found by another index, so that neither count has to read the rows.
 */
export function mappingCount(userId: SQL): SQL {
  return sql`((select count(*) from port_mappings m where m.user_id = ${userId})
    - (select count(*) from port_mappings m where m.user_id = ${userId} and m.expires_at <= now())
    + (select count(*) from http_domain_mappings d where d.user_id = ${userId})
    - (select count(*) from http_domain_mappings d where d.user_id = ${userId} and d.expires_at <= now()))`;
}
