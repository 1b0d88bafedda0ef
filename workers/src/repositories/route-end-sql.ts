import { type SQL, sql } from 'drizzle-orm';
import type { RouteEndpoint } from '../services/route-ports.ts';
import { bumpClients } from './binding-change-sql.ts';
import { isRoute, mappingEndpoint } from './binding-sql.ts';
import { quarantineNames } from './quarantine-sql.ts';
import { array, insertClientChange } from './sql-parts.ts';

/** Which rows end. */
export interface Ending {
  /** On the table's rows, `d` or `m`. */
  where: SQL;
  /** Taken away at the most; rows that somebody else is working on are left for later. null: all, whoever has them. */
  limit: number | null;
  /** What the audit log says of it. */
  action: 'expire' | 'end';
}

/**
 * Takes away domains that end. Relays and agents are told as after any change: of routes only their clients, of others
 * also their endpoints' owners. One row: `count` and `outbox_ids`.
 */
export function endDomains({ where, limit, action }: Ending): SQL {
  return sql`
    with ended as (select d.id from http_domain_mappings d where ${where} ${bounded('d', limit)}),
    gone as (
      delete from http_domain_mappings d using ended where d.id = ended.id
      returning d.id, d.user_id, d.full_domain, d.base_domain, d.verification_state, d.full_domain as endpoint,
        'domain:' || d.id as binding_id, d.row_version + 1 as version, true as deleted, ${isRoute('d')} as is_route,
        d.verification_state = 'verified' as tellable,
        array(select e.client_id from endpoint_upstreams e where e.domain_id = d.id) as client_ids
    ), quarantined as (${quarantineNames(sql`(select * from gone where not is_route)`)}),
    ${told('domain', action)}`;
}

/**
 * Takes away the user's routes below a domain of its own that is not proved any more, unless another one above them is:
 * their right came from it alone.
 */
export function endUnprovedRoutes(fullDomain: string, userId: number): SQL {
  const below = (parent: SQL): SQL => sql`right(d.full_domain, length(${parent}) + 1) = '.' || ${parent}`;
  return endDomains({
    where: sql`d.user_id = ${userId} and d.base_domain is null and ${isRoute('d')} and ${below(sql`${fullDomain}::text`)}
      and not exists (
        select from http_domain_mappings p where p.user_id = d.user_id and p.verification_state = 'verified'
          and p.base_domain is null and not p.ends_with_client and p.expires_at is null and ${below(sql`p.full_domain`)})`,
    ...{ limit: null, action: 'end' },
  });
}

/** The same for port mappings. */
export function endMappings({ where, limit, action }: Ending): SQL {
  return sql`
    with ended as (select m.mapping_id from port_mappings m where ${where} ${bounded('m', limit)}),
    gone as (
      delete from port_mappings m using ended where m.mapping_id = ended.mapping_id
      returning m.mapping_id, m.user_id, ${mappingEndpoint} as endpoint, 'mapping:' || m.mapping_id as binding_id,
        m.row_version + 1 as version, true as deleted, ${isRoute('m')} as is_route, true as tellable,
        array(select e.client_id from endpoint_upstreams e where e.mapping_id = m.mapping_id
          union select m.source_client_id where m.source_client_id is not null) as client_ids
    ), ${told('mapping', action)}`;
}

/** First of the statements that take endpoints: waits for whoever is giving one up at this moment. */
export function holdEndpoints(endpoints: readonly RouteEndpoint[]): SQL {
  return sql`select id from http_domain_mappings
    where full_domain = any(${array(namesOf(endpoints), 'text')}) and verification_state = 'verified'
    order by id for key share`;
}

/** Takes away what has ended at these endpoints. */
export function endedBefore(endpoints: readonly RouteEndpoint[]): [SQL, SQL] {
  const ports = endpoints.flatMap((each) => (each.kind === 'port' ? [{ group: each.group, port: each.port }] : []));
  return [
    endDomains({
      where: sql`d.full_domain = any(${array(namesOf(endpoints), 'text')}) and d.expires_at <= now()`,
      ...{ limit: null, action: 'expire' },
    }),
    endMappings({
      where: sql`m.expires_at <= now() and (m.relay_group, m.remote_port) in (
        select p."group", p.port from jsonb_to_recordset(${JSON.stringify(ports)}::jsonb) as p ("group" text, port int))`,
      ...{ limit: null, action: 'expire' },
    }),
  ];
}

/** The same for a domain that takes a name: only routes give way at once, the names of others wait for a while. */
export function endedRouteAt(fullDomain: string): SQL {
  const where = sql`d.full_domain = ${fullDomain} and d.expires_at <= now() and ${isRoute('d')}`;
  return endDomains({ where, limit: null, action: 'expire' });
}

/** The same for a mapping that takes a port; null: any port. */
export function endedRouteAtPort(group: string, port: number | null): SQL {
  const where = sql`m.expires_at <= now() and m.relay_group = ${group}
    and (${port}::int is null or m.remote_port = ${port}::int)`;
  return endMappings({ where, limit: null, action: 'expire' });
}

function namesOf(endpoints: readonly RouteEndpoint[]): string[] {
  return endpoints.flatMap((each) => (each.kind === 'domain' ? [each.endpoint] : []));
}

/** In the order of the index by which what ends is found. */
function bounded(table: 'd' | 'm', limit: number | null): SQL {
  return limit === null ? sql`` : sql`order by ${sql.raw(table)}.expires_at limit ${limit} for update skip locked`;
}

/** The rest of the statement, about the rows of `gone`. */
function told(type: 'domain' | 'mapping', action: Ending['action']): SQL {
  return sql`${bumpClients(sql`(select * from gone where tellable)`)},
    clients_told as (${insertClientChange(
      'updated',
      sql`(select * from bumped where client_id in (select unnest(client_ids) from gone where is_route))`,
    )}),
    bindings_told as (
      insert into outbox (kind, binding_id, endpoint, version, deleted, client_ids)
      select 'binding_changed', binding_id, endpoint, version, true, client_ids from gone where tellable and not is_route
      returning id
    ), audited as (
      insert into audit_log (actor_type, user_id, action, object_type, object_id, before)
      select 'system', user_id, case when is_route then 'route' else ${type}::text end || ${`.${action}`}::text,
        case when is_route then 'route' else ${type}::text end, case when is_route then endpoint else split_part(binding_id, ':', 2) end,
        jsonb_build_object('endpoint', endpoint, 'binding_id', binding_id, 'client_ids', client_ids)
      from gone
    )
    select (select count(*) from gone) as count,
      array(select id from clients_told union all select id from bindings_told) as outbox_ids`;
}
