import { type SQL, sql } from 'drizzle-orm';
import type { NodeSeat, RelayNodeRepository } from '../services/live-ports.ts';
import { COMPARE_BY_HASH } from './owner-records-sql.ts';
import type { Postgres } from './postgres.ts';
import { followRelays, LOCK_RELAY_RECORDS, type RelayRecordOptions } from './relay-records-sql.ts';

/** Relays as the management API shows them: a copy of what their objects know. */
export function createRelayNodeRepository(postgres: Postgres, options: RelayRecordOptions): RelayNodeRepository {
  return {
    async save(record) {
      const { profile, load, incarnation, status } = record;
      const { ports } = profile;
      const seenAt = new Date(record.lastSeenAt).toISOString();
      const startedAt = new Date(record.startedAt).toISOString();
      // A key that holds the id now takes the row over; a late word of an older run changes nothing.
      const lostAt =
        record.lostAt === null || record.lostAt === undefined ? null : new Date(record.lostAt).toISOString();
      const saved = sql`
        insert into relay_nodes (node_id, fingerprint, incarnation, relay_group, region, public_address, public_ipv4,
          public_ipv6, internal_address, lost_at, agent_tcp_port, agent_ws_port, http_port, https_port, bridge_port, metrics_port, public_from, public_to,
          version, status, clients, tunnels, cpu, memory_bytes, bandwidth_bytes_per_s, last_heartbeat_at, started_at)
        values (${profile.node_id}, ${profile.fingerprint}, ${incarnation}, ${profile.group}, ${profile.region},
          ${profile.public_address}, ${profile.public_ipv4 ?? null}, ${profile.public_ipv6 ?? null},
          ${profile.internal_address}, ${lostAt}, ${ports.agent_tcp}, ${ports.agent_ws}, ${ports.http},
          ${ports.https}, ${ports.bridge}, ${ports.metrics}, ${ports.public_from}, ${ports.public_to},
          ${profile.version}, ${status}, ${load.clients}, ${load.tunnels}, ${load.cpu}, ${load.memory_bytes},
          ${load.bandwidth_bytes_per_s}, ${seenAt}, ${startedAt})
        on conflict (node_id) do update set
          fingerprint = excluded.fingerprint, incarnation = excluded.incarnation, relay_group = excluded.relay_group,
          region = excluded.region, public_address = excluded.public_address, public_ipv4 = excluded.public_ipv4,
          public_ipv6 = excluded.public_ipv6, lost_at = excluded.lost_at,
          left_at = case when relay_nodes.status = 'online' and excluded.status <> 'online' then now()
            else relay_nodes.left_at end,
          internal_address = excluded.internal_address, agent_tcp_port = excluded.agent_tcp_port,
          agent_ws_port = excluded.agent_ws_port, http_port = excluded.http_port, https_port = excluded.https_port,
          bridge_port = excluded.bridge_port, metrics_port = excluded.metrics_port,
          public_from = excluded.public_from, public_to = excluded.public_to, version = excluded.version,
          status = excluded.status, clients = excluded.clients, tunnels = excluded.tunnels, cpu = excluded.cpu,
          memory_bytes = excluded.memory_bytes, bandwidth_bytes_per_s = excluded.bandwidth_bytes_per_s,
          last_heartbeat_at = excluded.last_heartbeat_at, started_at = excluded.started_at
        where relay_nodes.incarnation <= excluded.incarnation`;
      const zones = await postgres.transaction<{ zone_id: number }>(
        LOCK_RELAY_RECORDS,
        saved,
        COMPARE_BY_HASH,
        followRelays(options),
      );
      return zones.map(({ zone_id }) => zone_id);
    },

    async saveLoad({ profile, load, incarnation, lastSeenAt }) {
      await postgres.query(sql`
        update relay_nodes set clients = ${load.clients}, tunnels = ${load.tunnels}, cpu = ${load.cpu},
          memory_bytes = ${load.memory_bytes}, bandwidth_bytes_per_s = ${load.bandwidth_bytes_per_s},
          last_heartbeat_at = ${new Date(lastSeenAt).toISOString()}
        where node_id = ${profile.node_id} and incarnation = ${incarnation}`);
    },

    async seats() {
      return postgres.query<NodeSeat>(sql`
        select node_id, fingerprint, relay_group,
          case when status = 'offline' then (extract(epoch from last_heartbeat_at) * 1000)::bigint end as gone_since
        from relay_nodes order by node_id`);
    },

    async silentSince(seconds) {
      const rows = await postgres.query<{ node_id: string }>(sql`
        select node_id from relay_nodes
        where status <> 'offline' and last_heartbeat_at < now() - make_interval(secs => ${seconds})`);
      return rows.map((row) => row.node_id);
    },

    async forAgents(group) {
      return postgres.query(sql`
        select node_id, incarnation, relay_group as group, region, fingerprint, status, clients,
          ${hostPort('internal_address', 'bridge_port')} as bridge,
          ${hostPort('public_address', 'agent_tcp_port')} as agent_tcp,
          ${hostPort('public_address', 'agent_ws_port')} as agent_ws
        from relay_nodes where status = 'online' and relay_group = ${group}`);
    },
  };
}

/** `host:port`, an IPv6 address in brackets. */
function hostPort(address: string, port: string): SQL {
  return sql.raw(
    `(case when ${address} like '%:%' then '[' || ${address} || ']' else ${address} end) || ':' || ${port}`,
  );
}
