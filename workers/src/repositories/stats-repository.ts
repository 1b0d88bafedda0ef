import { type SQL, sql } from 'drizzle-orm';
import type {
  BindingCounts,
  ClientCounts,
  SeriesOf,
  StatsRepository,
  SystemCounts,
  UserCounts,
} from '../services/stats-ports.ts';
import type { SeriesRow } from '../services/time-series.ts';
import { bandwidthOf } from './bandwidth-sql.ts';
import { mappingCount, monthTrafficOf } from './limits-sql.ts';
import type { Postgres } from './postgres.ts';
import { ONLINE_CLIENTS, OPEN_SECONDS } from './session-sql.ts';
import { array, clientsOf, domainsOf, mappingsOf, moment } from './sql-parts.ts';

/** A mapping `m` or a domain `d` that may be used now, whoever is attached. */
const MAPPING_ENABLED = sql`(m.enabled and (m.expires_at is null or m.expires_at > now()))`;
const DOMAIN_ENABLED = sql`(d.status = 'active' and d.verification_state = 'verified'
  and (d.expires_at is null or d.expires_at > now()))`;

/** What the statistics show. */
export function createStatsRepository(postgres: Postgres): StatsRepository {
  return {
    async clientIdsOf(userId, limit) {
      const [row] = await postgres.query<{ ids: number[] }>(sql`
        select array(select c.client_id from clients c where c.user_id = u.user_id order by c.client_id limit ${limit}) as ids
        from users u where u.user_id = ${userId} and u.status <> 'deleted'`);
      return row?.ids ?? null;
    },

    async user(userId, online) {
      const attached =
        online === null
          ? sql`select client_id from (${ONLINE_CLIENTS}) o join clients c using (client_id) where c.user_id = ${userId}`
          : sql`select unnest(${array(online, 'bigint')}) as client_id`;
      const user = sql`${userId}::bigint`;
      const [row] = await postgres.query<UserCounts>(sql`
        with online as materialized (${attached})
        select (select count(*) from clients c where c.user_id = ${user}) as total_clients,
          (select count(distinct client_id) from online) as online_clients,
          ${mappingCount(user)} as total_mappings,
          ${activeCount(sql`m.user_id = ${user}`, sql`d.user_id = ${user}`)} as active_mappings,
          ${monthTrafficOf(user)} as current_month_traffic, ${bandwidthOf(user)} as bandwidth_usage`);
      return demand(row);
    },

    async client(clientId, tenant) {
      const [row] = await postgres.query<ClientCounts>(sql`
        select c.online_seconds + ${OPEN_SECONDS} as online_duration, c.total_bytes_out as total_bytes_sent,
          c.total_bytes_in as total_bytes_received, c.total_connections,
          (select count(*) from port_mappings m join endpoint_upstreams e using (mapping_id)
            where e.client_id = c.client_id and ${MAPPING_ENABLED})
          + (select count(*) from http_domain_mappings d join endpoint_upstreams e on e.domain_id = d.id
            where e.client_id = c.client_id and ${DOMAIN_ENABLED}) as enabled_mappings
        from clients c where c.client_id = ${clientId} and ${clientsOf(tenant)}`);
      return row ?? null;
    },

    mapping: (mappingId, tenant) =>
      binding(sql`m`, sql`port_mappings m`, MAPPING_ENABLED, sql`e.mapping_id = m.mapping_id`, [
        sql`m.mapping_id = ${mappingId}`,
        mappingsOf(tenant),
      ]),

    domain: (domainId, tenant) =>
      binding(sql`d`, sql`http_domain_mappings d`, DOMAIN_ENABLED, sql`e.domain_id = d.id`, [
        sql`d.id = ${domainId}`,
        domainsOf(tenant),
      ]),

    async system() {
      const [row] = await postgres.query<SystemCounts>(sql`
        with online as materialized (${ONLINE_CLIENTS})
        select (select count(*) from users where status <> 'deleted') as total_users,
          (select count(*) from clients where lifecycle <> 'claimed') as total_clients,
          (select count(distinct client_id) from online) as online_clients,
          (select count(*) from port_mappings) + (select count(*) from http_domain_mappings) as total_mappings,
          ${activeCount(sql`true`, sql`true`)} as active_mappings,
          (select coalesce(sum(bandwidth_bytes_per_s), 0) from relay_nodes where status <> 'offline') as total_bandwidth,
          (select count(*) from relay_nodes where status <> 'offline') as total_nodes`);
      return demand(row);
    },

    series(of, { step, fromMs, toMs }) {
      const [from, to] = [new Date(fromMs).toISOString(), new Date(toMs).toISOString()];
      // A day may be there in hours, as a day, or, while it is being added up, in both: nothing is in two of them.
      const steps = step === 'hour' ? sql`r.step = 'hour'` : sql`r.step in ('hour', 'day')`;
      return postgres.query<SeriesRow>(sql`
        select (extract(epoch from date_trunc(${step}, r.starts_at, 'UTC')) * 1000)::bigint as "atMs",
          sum(r.bytes_in)::bigint as bytes_in, sum(r.bytes_out)::bigint as bytes_out,
          sum(r.connections)::bigint as connections
        from usage_rollups r
        where ${rowsOf(of)} and ${steps} and r.starts_at >= ${from} and r.starts_at < ${to}
        group by 1 order by 1`);
    },
  };

  async function binding(
    alias: SQL,
    from: SQL,
    enabled: SQL,
    upstreams: SQL,
    where: SQL[],
  ): Promise<BindingCounts | null> {
    const [row] = await postgres.query<BindingCounts>(sql`
      select ${alias}.total_connections, ${alias}.total_bytes_in, ${alias}.total_bytes_out,
        ${moment('last_active_at')} as last_active_at, ${enabled} as enabled,
        array(select e.client_id from endpoint_upstreams e where ${upstreams}) as client_ids
      from ${from} where ${sql.join(where, sql` and `)}`);
    return row ?? null;
  }
}

/** Mappings and domains that are enabled and of which a client in `online` is an upstream. */
function activeCount(mappings: SQL, domains: SQL): SQL {
  return sql`((select count(*) from port_mappings m where ${mappings} and ${MAPPING_ENABLED} and m.mapping_id in (
      select e.mapping_id from endpoint_upstreams e where e.client_id in (select client_id from online)))
    + (select count(*) from http_domain_mappings d where ${domains} and ${DOMAIN_ENABLED} and d.id in (
      select e.domain_id from endpoint_upstreams e where e.client_id in (select client_id from online))))`;
}

/** Rows of usage_rollups `r`. */
function rowsOf(of: SeriesOf): SQL {
  switch (of.kind) {
    case 'user':
      return sql`r.user_id = ${of.userId}`;
    case 'client':
      return sql`r.client_id = ${of.clientId}`;
    case 'binding':
      return sql`r.binding_id = ${of.bindingId}`;
    case 'system':
      // A row for each relay: the sum of all bindings would be a sum of millions.
      return sql`r.binding_id >= 'node:' and r.binding_id < 'node;' and r.client_id = 0`;
  }
}

function demand<Row>(row: Row | undefined): Row {
  if (row === undefined) throw new Error('A statement that always has a row had none');
  return row;
}
