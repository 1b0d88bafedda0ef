import { type SQL, sql } from 'drizzle-orm';
import type { Tenant } from '../services/principal.ts';
import type { MadeRoutes, RouteClient, RouteOutcome, RouteRepository, RouteRow } from '../services/route-ports.ts';
import { domainBindings, mappingBindings, NOT_ENDED_DOMAIN, NOT_ENDED_MAPPING } from './binding-sql.ts';
import { endedBefore, holdEndpoints } from './route-end-sql.ts';
import { insertRoutes, type RouteMade } from './route-insert-sql.ts';
import type { Postgres } from './postgres.ts';
import { removeRoute } from './route-removal-sql.ts';
import { array, clientsOf, domainsOf, lockOwner, mappingsOf, moment, ownedBy } from './sql-parts.ts';

const DOMAINS = sql`d.verification_state = 'verified' and ${NOT_ENDED_DOMAIN}`;
const DOMAIN_ENDPOINT = sql.raw(`d.full_domain collate "C"`);
const MAPPINGS = sql`m.source_client_id is null and ${NOT_ENDED_MAPPING}`;
/** As the indexes of port_mappings have it. */
const MAPPING_ENDPOINT = sql.raw(`(m.protocol || ':' || m.relay_group || ':' || m.remote_port::text) collate "C"`);

const ENDS = sql`${moment('x.expires_at')} as expires_at, x.ends_with_client, x.namespace_id`;

/** Public endpoints with their bindings; those that were made as routes are made and removed here. */
export function createRouteRepository(postgres: Postgres): RouteRepository {
  return {
    async list(tenant, { limit, offset, after, counted }) {
      // Each part is read in the order of an index, and only as far as the page reaches.
      const part = (kind: string, id: string, endpoint: SQL, from: string, where: SQL): SQL => sql`
        (select ${kind}::text as kind, ${sql.raw(id)} as id, ${endpoint} as endpoint from ${sql.raw(from)} where ${where}
          and ${after === null ? sql`true` : sql`${endpoint} > ${after}`}
        order by ${endpoint} limit ${limit + offset})`;
      const parts = [
        ...ownersOf('d', tenant).map((own) =>
          part('domain', 'd.id', DOMAIN_ENDPOINT, 'http_domain_mappings d', sql`${DOMAINS} and ${own}`),
        ),
        ...ownersOf('m', tenant).map((own) =>
          part('mapping', 'm.mapping_id', MAPPING_ENDPOINT, 'port_mappings m', sql`${MAPPINGS} and ${own}`),
        ),
      ];
      const [rows, counts] = await Promise.all([
        postgres.query<RouteRow>(sql`
          select ${ENDS}, case e.kind when 'domain' then (${domainBindings(sql`d.id = e.id`)})
            else (${mappingBindings(sql`m.mapping_id = e.id`)}) end as binding
          from (select * from (${sql.join(parts, sql` union all `)}) a order by a.endpoint limit ${limit} offset ${offset}) e
            cross join lateral (
              select expires_at, ends_with_client, namespace_id from http_domain_mappings where e.kind = 'domain' and id = e.id
              union all
              select expires_at, ends_with_client, namespace_id from port_mappings where e.kind = 'mapping' and mapping_id = e.id
            ) x
          order by e.endpoint`),
        counted
          ? postgres.query<{ total: number }>(sql`select
              (select count(*) from http_domain_mappings d where ${DOMAINS} and ${domainsOf(tenant)})
              + (select count(*) from port_mappings m where ${MAPPINGS} and ${mappingsOf(tenant)}) as total`)
          : [],
      ]);
      // What ended between the two reads of the statement has no binding any more.
      return { rows: rows.filter(({ binding }) => binding !== null), total: counts[0]?.total ?? null };
    },

    async find(tenant, endpoint) {
      const [protocol, group, port = ''] = endpoint.split(':');
      if (group !== undefined && !/^[1-9][0-9]{0,4}$/.test(port)) return null;
      const [row] = await postgres.query<RouteRow>(
        group === undefined
          ? sql`select ${ENDS}, b.binding from http_domain_mappings x,
              lateral (${domainBindings(sql`d.id = x.id and ${domainsOf(tenant)}`)}) b
              where x.full_domain = ${endpoint} and x.verification_state = 'verified'`
          : sql`select ${ENDS}, b.binding from port_mappings x,
              lateral (${mappingBindings(sql`m.mapping_id = x.mapping_id and ${mappingsOf(tenant)}`)}) b
              where x.relay_group = ${group} and x.protocol = ${protocol} and x.remote_port = ${Number(port)}`,
      );
      return row ?? null;
    },

    clients: (ids, tenant) =>
      postgres.query<RouteClient>(sql`
        select c.client_id, c.user_id, c.namespace_id,
          case when c.lifecycle = 'active' and (u.status <> 'active' or c.suspended_at is not null) then 'disabled'
            else c.lifecycle end as state
        from clients c left join users u on u.user_id = c.user_id
        where c.client_id = any(${array(ids, 'bigint')}) and ${clientsOf(tenant)}`),

    async create(routes, owner, tenant, audit) {
      const endpoints = routes.map(({ endpoint }) => endpoint);
      const made = await postgres.transaction<RouteMade>(
        lockOwner(owner.userId, null),
        holdEndpoints(endpoints),
        // What has ended is in nobody's way, whether or not the sweep has been here.
        ...endedBefore(endpoints),
        insertRoutes(routes, owner, tenant, audit),
      );
      return toMade(made);
    },

    async remove(bindingId, userId, audit) {
      const rows = await postgres.transaction<{ id: number }>(lockOwner(userId, null), removeRoute(bindingId, audit));
      return rows.length === 0 ? null : rows.map(({ id }) => id);
    },
  };
}

function toMade(rows: RouteMade[]): MadeRoutes {
  const outcomes = rows.map(({ binding_id, refusal, yours, over_quota, limit, current }): RouteOutcome => {
    if (binding_id !== null) return { bindingId: binding_id };
    if (refusal === 'taken') return { reason: 'taken', yours };
    if (refusal !== null) return { reason: refusal };
    if (over_quota && limit !== null) return { reason: 'over_quota', limit, current };
    // Somebody else was faster by a moment.
    return { reason: 'taken', yours: false };
  });
  return { outcomes, outboxIds: rows[0]?.outbox_ids ?? [] };
}

/** Conditions whose rows are together what the tenant sees, each of one owner and so in the order of an index. */
function ownersOf(table: 'd' | 'm', tenant: Tenant): SQL[] {
  switch (tenant.kind) {
    case 'all':
      return [sql`true`];
    case 'user': {
      const { userId, namespaceIds } = tenant;
      const namespaceId = sql.raw(`${table}.namespace_id`);
      return [
        ownedBy(table, { kind: 'owner', userId, namespaceId: null }),
        ...namespaceIds.map((id) => sql`${namespaceId} = ${id}`),
      ];
    }
    case 'owner':
      return [ownedBy(table, tenant)];
    case 'client':
      return [table === 'd' ? domainsOf(tenant) : mappingsOf(tenant)];
  }
}
