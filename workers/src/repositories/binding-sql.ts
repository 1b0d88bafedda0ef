import { type SQL, sql } from 'drizzle-orm';
import { moment } from './sql-parts.ts';

const upstreams = (condition: SQL): SQL => sql`(
  select coalesce(jsonb_agg(jsonb_build_object('client_id', e.client_id, 'weight', e.weight, 'priority', e.priority)
    order by e.priority, e.client_id), '[]')
  from endpoint_upstreams e where ${condition})`;

/** Whether one of those who serve it may be attached at all. @param condition On endpoint_upstreams `e`. */
const servable = (condition: SQL): SQL => sql`exists (
  select from endpoint_upstreams e join clients s on s.client_id = e.client_id
  where ${condition} and s.lifecycle = 'active' and s.suspended_at is null)`;

/** Endpoint of the mapping `m`; null if private. */
export const mappingEndpoint = sql.raw(
  `(case when m.source_client_id is null then m.protocol || ':' || m.relay_group || ':' || m.remote_port end)`,
);

/** Routes end with their time, whenever they are removed. */
export const NOT_ENDED_MAPPING = sql.raw(`(m.expires_at is null or m.expires_at > now())`);
export const NOT_ENDED_DOMAIN = sql.raw(`(d.expires_at is null or d.expires_at > now())`);

/** Whether the row was made as a route: for a time, or while an agent is attached. Anonymous names end too, otherwise. */
export function isRoute(table: 'm' | 'd'): SQL {
  return sql.raw(`(${table}.ends_with_client or (${table}.expires_at is not null and ${table}.user_id is not null))`);
}

/** Bindings of port mappings that have not ended as JSON, column `binding`; tables `m` (port_mappings) and `u` (users). */
export const mappingBindings = (condition: SQL): SQL => sql`
  select jsonb_build_object(
    'binding_id', 'mapping:' || m.mapping_id,
    'version', m.row_version,
    'endpoint', ${mappingEndpoint},
    'protocol', m.protocol,
    'enabled', m.enabled and coalesce(u.status = 'active', true) and ${servable(sql.raw('e.mapping_id = m.mapping_id'))},
    'user_id', m.user_id,
    'source_client_id', m.source_client_id,
    'upstreams', ${upstreams(sql.raw('e.mapping_id = m.mapping_id'))},
    'host_header', null,
    'warning_page', false,
    'expires_at', ${moment('m.expires_at')},
    'route', ${isRoute('m')},
    'access', jsonb_build_object('allow', to_jsonb(m.access_allow), 'deny', to_jsonb(m.access_deny))
  ) as binding
  from port_mappings m left join users u on u.user_id = m.user_id
  where ${NOT_ENDED_MAPPING} and ${condition}`;

/** Bindings of verified domains that have not ended, column `binding`; tables `d` (http_domain_mappings) and `u`. */
export const domainBindings = (condition: SQL): SQL => sql`
  select jsonb_build_object(
    'binding_id', 'domain:' || d.id,
    'version', d.row_version,
    'endpoint', d.full_domain,
    'protocol', 'http',
    'enabled', d.status = 'active' and coalesce(u.status = 'active', true) and ${servable(sql.raw('e.domain_id = d.id'))},
    'user_id', d.user_id,
    'source_client_id', null,
    'upstreams', ${upstreams(sql.raw('e.domain_id = d.id'))},
    'host_header', d.host_header,
    'warning_page', d.user_id is null,
    'expires_at', ${moment('d.expires_at')},
    'route', ${isRoute('d')},
    'access', jsonb_build_object('allow', to_jsonb(d.access_allow), 'deny', to_jsonb(d.access_deny))
  ) as binding
  from http_domain_mappings d left join users u on u.user_id = d.user_id
  where d.verification_state = 'verified' and ${NOT_ENDED_DOMAIN} and ${condition}`;
