import { type SQL, sql } from 'drizzle-orm';
import type { AttachedSession, DetachedSession, SessionKey } from '../services/live-ports.ts';
import { array } from './sql-parts.ts';

/** First statement of what is written about sessions: a client's facts one after the other, whoever brings them. */
export function lockAndSee(sessions: readonly SessionKey[]): SQL {
  const ids = [...new Set(sessions.map(({ client_id }) => client_id))];
  return sql`
    with seen as (
      select client_id from clients where client_id = any(${array(ids, 'bigint')}) order by client_id for no key update
    )
    update clients c set last_seen_at = now() from seen where seen.client_id = c.client_id`;
}

/**
 * Sessions that are attached. Whichever of the same client began before ends with it, when its own end was not heard of.
 * One that was thought over (its relay was silent) begins anew when it is said to be there; the part before is counted.
 */
export function beginSessions(sessions: readonly AttachedSession[]): SQL {
  const rows = sessions.map(({ attachedAtMs, seenAtMs, ...key }) => ({
    ...key,
    attached_at: new Date(attachedAtMs).toISOString(),
    seen_at: new Date(seenAtMs).toISOString(),
  }));
  return sql`
    with facts as (
      select distinct on (client_id) * from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as f(client_id bigint,
        instance_id text, connect_seq bigint, node_id text, incarnation text, attached_at timestamptz, seen_at timestamptz)
      order by client_id, attached_at desc
    ), superseded as (
      update client_sessions s set
        detached_at = greatest(s.attached_at, least(f.attached_at, (${lifeEnd('s')})))
      from facts f
      where s.client_id = f.client_id and s.detached_at is null and s.attached_at <= f.attached_at
        and (s.instance_id, s.connect_seq) <> (f.instance_id, f.connect_seq)
      returning s.client_id, s.attached_at, s.detached_at
    ), written as (
      insert into client_sessions as s
        (client_id, instance_id, connect_seq, node_id, incarnation, attached_at, detached_at)
      select f.client_id, f.instance_id, f.connect_seq, f.node_id, f.incarnation, f.attached_at,
        -- A word that came late: the client has begun another session since.
        (select min(o.attached_at) from client_sessions o where o.client_id = f.client_id
          and o.attached_at > f.attached_at and (o.instance_id, o.connect_seq) <> (f.instance_id, f.connect_seq))
      from facts f
      on conflict (client_id, instance_id, connect_seq) do update set
        node_id = excluded.node_id, incarnation = excluded.incarnation,
        attached_at = case when s.detached_at is null then s.attached_at else (
          select f.seen_at from facts f where f.client_id = excluded.client_id) end,
        detached_at = null
      where excluded.detached_at is null and case when s.detached_at is null then s.incarnation < excluded.incarnation
        else s.detached_at < (select f.seen_at from facts f where f.client_id = excluded.client_id) end
      returning s.client_id, s.attached_at, s.detached_at
    )
    ${addOnline(sql`(select * from superseded union all select * from written) e`)}`;
}

/** Sessions that have ended. */
export function endSessions(sessions: readonly DetachedSession[]): SQL {
  const rows = sessions.map(({ attachedAtMs, detachedAtMs, ...key }) => ({
    ...key,
    attached_at: new Date(attachedAtMs).toISOString(),
    detached_at: new Date(Math.max(attachedAtMs, detachedAtMs)).toISOString(),
  }));
  return sql`
    with facts as (
      select distinct on (client_id, instance_id, connect_seq) * from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
        as f(client_id bigint, instance_id text, connect_seq bigint, node_id text, incarnation text,
          attached_at timestamptz, detached_at timestamptz)
      order by client_id, instance_id, connect_seq, attached_at desc
    ), ended as (
      insert into client_sessions as s
        (client_id, instance_id, connect_seq, node_id, incarnation, attached_at, detached_at)
      select client_id, instance_id, connect_seq, node_id, incarnation, attached_at, detached_at from facts
      on conflict (client_id, instance_id, connect_seq) do update set detached_at = excluded.detached_at,
        attached_at = case when s.detached_at is null then s.attached_at else excluded.attached_at end
      where case when s.detached_at is null then s.attached_at <= excluded.detached_at
        else s.detached_at < excluded.attached_at end
      returning s.client_id, s.attached_at, s.detached_at
    )
    ${addOnline(sql`ended e`)}`;
}

/** Sessions whose relay's run is over end with its last sign of life, or with the run that came after it. */
export function endDeadSessions(limit: number): SQL {
  return sql`
    with dead as (
      select s.client_id, s.instance_id, s.connect_seq, greatest(s.attached_at, (${lifeEnd('s')})) as ended_at
      from client_sessions s left join relay_nodes n on n.node_id = s.node_id
      where s.detached_at is null and (n.node_id is null or not ${livingRun('s')})
      limit ${limit} for update of s skip locked
    ), ended as (
      update client_sessions s set detached_at = d.ended_at from dead d
      where s.client_id = d.client_id and s.instance_id = d.instance_id and s.connect_seq = d.connect_seq
      returning s.client_id, s.attached_at, s.detached_at
    ), added as (${addOnline(sql`ended e`)})
    select count(*) as count from ended`;
}

/**
 * Clients that are attached now: sessions that have not ended, at relays whose run lives. True as far as Postgres has
 * been told: a relay that dies is noted within its lease (30 s), and from then on its sessions do not count; a session
 * whose begin or end Postgres missed while it was away is found by the sweep. Whoever must know of a few clients exactly
 * asks their owners; this is for counting many without asking each.
 */
export const ONLINE_CLIENTS = sql`select s.client_id from client_sessions s join relay_nodes n on n.node_id = s.node_id
  where s.detached_at is null and ${livingRun('s')}`;

/** Seconds of sessions of client `c` that go on, or whose relay has died and nobody has noted it yet. */
export const OPEN_SECONDS = sql`coalesce((
  select sum(greatest(0, extract(epoch from coalesce((${lifeEnd('s')}), now()) - s.attached_at)))::bigint
  from client_sessions s where s.client_id = c.client_id and s.detached_at is null), 0)`;

/** A run that Postgres has not heard of yet is newer than the row: it lives. @param session Alias; relay_nodes is `n`. */
function livingRun(session: string): SQL {
  return sql.raw(
    `(n.incarnation < ${session}.incarnation or n.incarnation = ${session}.incarnation and n.status <> 'offline')`,
  );
}

/** When the run of the session's relay ended; null: it lives, or nobody knows. @param session Alias. */
function lifeEnd(session: string): SQL {
  return sql.raw(`select case
      when l.incarnation = ${session}.incarnation and l.status = 'offline' then l.last_heartbeat_at
      when l.incarnation > ${session}.incarnation then l.started_at end
    from relay_nodes l where l.node_id = ${session}.node_id`);
}

/** @param ended Rows with `client_id`, `attached_at` and `detached_at`; null: not ended. */
function addOnline(ended: SQL): SQL {
  return sql`
    update clients c set online_seconds = c.online_seconds + t.seconds
    from (
      select e.client_id, round(sum(extract(epoch from e.detached_at - e.attached_at)))::bigint as seconds
      from ${ended} where e.detached_at is not null group by e.client_id
    ) t
    where t.client_id = c.client_id and t.seconds > 0`;
}
