import type { Node } from '@tunnox/domain/api/nodes';
import { sql } from 'drizzle-orm';
import type { NodeRepository } from '../services/node-ports.ts';
import type { Postgres } from './postgres.ts';
import { moment } from './sql-parts.ts';

const SELECT_NODE = sql`select n.node_id, n.public_address as address, n.region, n.relay_group, n.version, n.status,
  n.clients as online_clients, n.tunnels, n.cpu as cpu_usage, n.memory_bytes as memory_usage,
  n.bandwidth_bytes_per_s as bandwidth_usage, n.incarnation, n.public_from, n.public_to,
  ${moment('n.last_heartbeat_at')} as last_heartbeat, ${moment('n.started_at')} as started_at from relay_nodes n`;

/** Relays as they were last heard of. */
export function createNodeRepository(postgres: Postgres): NodeRepository {
  return {
    list: () => postgres.query<Node>(sql`${SELECT_NODE} order by n.node_id`),
    async find(nodeId) {
      const [row] = await postgres.query<Node>(sql`${SELECT_NODE} where n.node_id = ${nodeId}`);
      return row ?? null;
    },
  };
}
