import { sql } from 'drizzle-orm';
import type { RouteRepository, RouteRow } from '../services/binding-ports.ts';
import { domainBindings, mappingBindings } from './binding-sql.ts';
import type { Postgres } from './postgres.ts';
import { domainsOf, mappingsOf, moment } from './sql-parts.ts';

/** Public endpoints with their bindings. */
export function createRouteRepository(postgres: Postgres): RouteRepository {
  return {
    async list(tenant, { limit, offset, after }) {
      const domains = sql`d.verification_state = 'verified' and (d.expires_at is null or d.expires_at > now())
        and ${domainsOf(tenant)}`;
      const mappings = sql`m.source_client_id is null and ${mappingsOf(tenant)}`;
      const endpoints = sql`
        select 'domain' as kind, d.id, d.full_domain collate "C" as endpoint, d.expires_at, d.ends_with_client from http_domain_mappings d where ${domains}
        union all
        select 'mapping', m.mapping_id, (m.protocol || ':' || m.relay_group || ':' || m.remote_port) collate "C", m.expires_at,
          m.ends_with_client from port_mappings m where ${mappings}`;
      const [rows, counts] = await Promise.all([
        postgres.query<RouteRow>(sql`
          select ${moment('e.expires_at')} as expires_at, e.ends_with_client, case e.kind when 'domain' then (${domainBindings(sql`d.id = e.id`)})
            else (${mappingBindings(sql`m.mapping_id = e.id`)}) end as binding
          from (select * from (${endpoints}) a where ${after === null ? sql`true` : sql`a.endpoint > ${after}`}
            order by a.endpoint limit ${limit} offset ${offset}) e
          order by e.endpoint`),
        postgres.query<{ total: number }>(sql`select count(*) as total from (${endpoints}) a`),
      ]);
      return { rows, total: counts[0]?.total ?? 0 };
    },

    async find(tenant, endpoint) {
      const [protocol, group, port] = endpoint.split(':');
      const [row] = await postgres.query<RouteRow>(
        port === undefined
          ? sql`select ${moment('x.expires_at')} as expires_at, x.ends_with_client, b.binding from http_domain_mappings x,
              lateral (${domainBindings(sql`d.id = x.id and ${domainsOf(tenant)}`)}) b where x.full_domain = ${endpoint}`
          : sql`select ${moment('x.expires_at')} as expires_at, x.ends_with_client, b.binding from port_mappings x,
              lateral (${mappingBindings(sql`m.mapping_id = x.mapping_id and ${mappingsOf(tenant)}`)}) b
              where x.relay_group = ${group} and x.protocol = ${protocol} and x.remote_port::text = ${port}`,
      );
      return row ?? null;
    },
  };
}
