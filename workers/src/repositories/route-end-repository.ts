import { type SQL, sql } from 'drizzle-orm';
import type { EndedRows, RouteEndRepository } from '../services/route-ports.ts';
import type { Postgres } from './postgres.ts';
import { endDomains, endMappings } from './route-end-sql.ts';
import { array } from './sql-parts.ts';

/** Client `e` was attached when row `r` was made, or since, and no session goes on. */
const LEFT = sql.raw(`
  (r.made_attached or exists (
    select from client_sessions s where s.client_id = e.client_id and s.detached_at >= r.created_at))
  and not exists (select from client_sessions s where s.client_id = e.client_id and s.detached_at is null)`);

/** Ends what is over. */
export function createRouteEndRepository(postgres: Postgres): RouteEndRepository {
  /** Each for itself: short transactions keep nobody waiting. */
  async function run(...statements: SQL[]): Promise<EndedRows> {
    const all: EndedRows = { count: 0, outboxIds: [] };
    for (const statement of statements) {
      const [row] = await postgres.query<{ count: number; outbox_ids: number[] }>(statement);
      all.count += row?.count ?? 0;
      all.outboxIds.push(...(row?.outbox_ids ?? []));
    }
    return all;
  }

  return {
    endExpired: (limit) =>
      run(
        endDomains({ where: sql`d.expires_at <= now()`, limit, action: 'expire' }),
        endMappings({ where: sql`m.expires_at <= now()`, limit, action: 'expire' }),
      ),

    endOfClients: (clientIds, limit) => {
      // One with other clients, which somebody has added, lasts while one of them is there.
      const alone = (column: string, id: string): SQL => sql`${sql.raw(id)} in (
        select e.${sql.raw(column)} from endpoint_upstreams e where e.client_id = any(${array(clientIds, 'bigint')}))
        and not exists (select from endpoint_upstreams o where o.${sql.raw(column)} = ${sql.raw(id)}
          and o.client_id <> all(${array(clientIds, 'bigint')}))`;
      return run(
        endDomains({ where: sql`d.ends_with_client and ${alone('domain_id', 'd.id')}`, limit, action: 'end' }),
        endMappings({
          where: sql`m.ends_with_client and ${alone('mapping_id', 'm.mapping_id')}`,
          ...{ limit, action: 'end' },
        }),
      );
    },

    async clientsLeft(limit) {
      const rows = await postgres.query<{ client_id: number }>(sql`
        select distinct e.client_id from http_domain_mappings r join endpoint_upstreams e on e.domain_id = r.id
        where r.ends_with_client and ${LEFT}
        union
        select distinct e.client_id from port_mappings r join endpoint_upstreams e on e.mapping_id = r.mapping_id
        where r.ends_with_client and ${LEFT}
        limit ${limit}`);
      return rows.map((row) => row.client_id);
    },

    async forgetChanges(days, limit) {
      await postgres.query(sql`
        delete from client_config_changes where ctid in (
          select ctid from client_config_changes where created_at < now() - make_interval(days => ${days})
          order by created_at limit ${limit})`);
    },
  };
}
