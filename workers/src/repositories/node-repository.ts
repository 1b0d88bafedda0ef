import type { Node } from '@tunnox/domain/api/nodes';
import { sql } from 'drizzle-orm';
import type { NodeRepository } from '../services/node-ports.ts';
import type { Postgres } from './postgres.ts';
import { all, insertAudit, moment } from './sql-parts.ts';

const SELECT_NODE = sql`select n.node_id, n.public_address as address, n.region, n.relay_group, n.version, n.status,
  n.clients as online_clients, n.tunnels, n.cpu as cpu_usage, n.memory_bytes as memory_usage,
  n.bandwidth_bytes_per_s as bandwidth_usage, n.incarnation, n.public_from, n.public_to,
  ${moment('n.last_heartbeat_at')} as last_heartbeat, ${moment('n.started_at')} as started_at`;

/** Relays as they were last heard of. What one that is offline did last is no load. */
const FROM = sql`(select r.node_id, r.public_address, r.region, r.relay_group, r.version, r.status, r.incarnation,
  r.public_from, r.public_to, r.last_heartbeat_at, r.started_at, r.memory_bytes * w.here as memory_bytes,
  r.clients * w.here as clients, r.tunnels * w.here as tunnels, r.cpu * w.here as cpu,
  r.bandwidth_bytes_per_s * w.here as bandwidth_bytes_per_s
  from relay_nodes r, lateral (select case when r.status = 'offline' then 0 else 1 end as here) w) n`;

export function createNodeRepository(postgres: Postgres): NodeRepository {
  return {
    list({ status, group, region }) {
      const where = [
        ...(status === undefined ? [] : [sql`n.status = ${status}`]),
        ...(group === undefined ? [] : [sql`n.relay_group = ${group}`]),
        ...(region === undefined ? [] : [sql`n.region = ${region}`]),
      ];
      return postgres.query<Node>(sql`${SELECT_NODE} from ${FROM} where ${all(where)} order by n.node_id`);
    },

    async find(nodeId) {
      const [row] = await postgres.query<Node>(sql`${SELECT_NODE} from ${FROM} where n.node_id = ${nodeId}`);
      return row ?? null;
    },

    async noteDrain(nodeId, audit) {
      const rows = await postgres.query(sql`
        with n as (select node_id from relay_nodes where node_id = ${nodeId} and status <> 'offline'),
        audited as (${insertAudit(audit, 'node', sql`n.node_id`, sql`null::bigint`, sql`n`)})
        select node_id from n`);
      return rows.length > 0;
    },

    async remove(nodeId, audit) {
      const rows = await postgres.query(sql`
        with n as (delete from relay_nodes where node_id = ${nodeId} and status = 'offline' returning node_id),
        audited as (${insertAudit(audit, 'node', sql`n.node_id`, sql`null::bigint`, sql`n`)})
        select node_id from n`);
      return rows.length > 0;
    },
  };
}
