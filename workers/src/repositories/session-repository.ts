import { sql } from 'drizzle-orm';
import type { OpenSession, SessionRepository } from '../services/session-ports.ts';
import type { Postgres } from './postgres.ts';
import { endDeadSessions } from './session-sql.ts';

/** Sessions as the sweep looks at them. */
export function createSessionRepository(postgres: Postgres): SessionRepository {
  return {
    async endDead(limit) {
      const [row] = await postgres.query<{ count: number }>(endDeadSessions(limit));
      return row?.count ?? 0;
    },
    runsToCheck: (limit) =>
      postgres.query(sql`
        select n.node_id, n.incarnation, count(s.client_id) || ' ' || coalesce(sum(s.client_id), 0) || ' '
          || coalesce(sum(s.client_id::numeric * s.client_id), 0) as clients
        from relay_nodes n
        left join client_sessions s on s.incarnation = n.incarnation and s.node_id = n.node_id and s.detached_at is null
        where n.status <> 'offline' group by n.node_id
        order by count(s.client_id) <> n.clients desc, random() limit ${limit}`),
    openOf: (nodeId, incarnation) =>
      postgres.query<OpenSession>(sql`
        select client_id, instance_id, connect_seq, node_id, incarnation,
          (extract(epoch from attached_at) * 1000)::bigint as "attachedAtMs" from client_sessions
        where node_id = ${nodeId} and incarnation = ${incarnation} and detached_at is null`),
  };
}
