import type { Connection } from '@tunnox/domain/api/connections';
import { type SQL, sql } from 'drizzle-orm';
import type { ConnectionRepository } from '../services/connection-service.ts';
import type { Tenant } from '../services/principal.ts';
import { selectNewestFirst } from './newest-first.ts';
import type { Postgres } from './postgres.ts';
import { moment, ownedBy } from './sql-parts.ts';

const SELECT_CONNECTION = sql`select l.id, l.tunnel_id, l.binding_id, l.client_id, l.user_id, l.node_id, l.visitor,
  ${moment('l.started_at')} as started_at, l.duration_ms, l.bytes_in, l.bytes_out, l.close_reason`;

/** Tunnels that have ended. */
export function createConnectionRepository(postgres: Postgres): ConnectionRepository {
  return {
    async add(nodeId, connections) {
      await postgres.query(sql`
        insert into connection_log (tunnel_id, node_id, binding_id, client_id, user_id, namespace_id, visitor, started_at,
          duration_ms, bytes_in, bytes_out, close_reason)
        select e.tunnel_id, ${nodeId}::text, e.binding_id, e.client_id,
          case when c.client_id is null then e.user_id else c.user_id end, c.namespace_id, e.visitor,
          least(e.started_at, now()), e.duration_ms, e.bytes_in, e.bytes_out, e.close_reason
        from jsonb_to_recordset(${JSON.stringify(connections)}::jsonb) as e(tunnel_id text, binding_id text,
          client_id bigint, user_id bigint, visitor text, started_at timestamptz, duration_ms bigint, bytes_in bigint,
          bytes_out bigint, close_reason text)
        left join clients c on c.client_id = e.client_id
        order by e.started_at
        on conflict (tunnel_id) do nothing`);
    },

    list: ({ bindingIds, clientId, userId, from, to }, tenant, page) =>
      selectNewestFirst<Connection & { id: number }>(
        postgres,
        {
          select: SELECT_CONNECTION,
          from: sql`connection_log l`,
          where: [
            connectionsOf(tenant),
            ...bindingIds.map((bindingId) => sql`l.binding_id = ${bindingId}`),
            ...(clientId === undefined ? [] : [sql`l.client_id = ${clientId}`]),
            ...(userId === undefined ? [] : [sql`l.user_id = ${userId}`]),
            ...(from === undefined ? [] : [sql`l.started_at >= ${from}`]),
            ...(to === undefined ? [] : [sql`l.started_at < ${to}`]),
          ],
          id: sql`l.id`,
        },
        page,
      ),
  };
}

/** Lines of connection_log `l` that the tenant sees: what belonged to it when they were written. */
function connectionsOf(tenant: Tenant): SQL {
  switch (tenant.kind) {
    case 'all':
      return sql`true`;
    case 'user':
    case 'owner':
      return ownedBy('l', tenant);
    case 'client':
      return sql`l.client_id = ${tenant.clientId}`;
  }
}
