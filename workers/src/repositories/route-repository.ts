import type { Binding } from '@tunnox/domain/binding';
import { sql } from 'drizzle-orm';
import type { RouteRepository } from '../services/binding-ports.ts';
import { domainBindings, mappingBindings } from './binding-sql.ts';
import type { Postgres } from './postgres.ts';
import { domainsOf, mappingsOf } from './sql-parts.ts';

/** Public endpoints with their bindings. */
export function createRouteRepository(postgres: Postgres): RouteRepository {
  return {
    async list(tenant, { limit, offset, after }) {
      const domains = sql`d.verification_state = 'verified' and (d.expires_at is null or d.expires_at > now())
        and ${domainsOf(tenant)}`;
      const mappings = sql`m.source_client_id is null and ${mappingsOf(tenant)}`;
      const endpoints = sql`
        select 'domain' as kind, d.id, d.full_domain collate "C" as endpoint from http_domain_mappings d where ${domains}
        union all
        select 'mapping', m.mapping_id, (m.protocol || ':' || m.relay_group || ':' || m.remote_port) collate "C"
        from port_mappings m where ${mappings}`;
      const [rows, counts] = await Promise.all([
        postgres.query<{ binding: Binding }>(sql`
          select case e.kind when 'domain' then (${domainBindings(sql`d.id = e.id`)})
            else (${mappingBindings(sql`m.mapping_id = e.id`)}) end as binding
          from (select * from (${endpoints}) a where ${after === null ? sql`true` : sql`a.endpoint > ${after}`}
            order by a.endpoint limit ${limit} offset ${offset}) e
          order by e.endpoint`),
        postgres.query<{ total: number }>(sql`select count(*) as total from (${endpoints}) a`),
      ]);
      return { rows: rows.map((row) => row.binding), total: counts[0]?.total ?? 0 };
    },

    async find(tenant, endpoint) {
      const [protocol, group, port] = endpoint.split(':');
      const [row] = await postgres.query<{ binding: Binding }>(
        port === undefined
          ? domainBindings(sql`d.full_domain = ${endpoint} and ${domainsOf(tenant)}`)
          : mappingBindings(sql`m.relay_group = ${group} and m.protocol = ${protocol}
              and m.remote_port::text = ${port} and ${mappingsOf(tenant)}`),
      );
      return row?.binding ?? null;
    },
  };
}
