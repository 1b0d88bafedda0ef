import { sql } from 'drizzle-orm';
import { check, index, pgTable, primaryKey, text, uniqueIndex } from 'drizzle-orm/pg-core';
import { instant, int53, oneOf } from './columns.ts';

export const ROLLUP_STEPS = ['hour', 'day'] as const;

/** Traffic by binding and hour; hours that are old are added up to days. */
export const usageRollups = pgTable(
  'usage_rollups',
  {
    step: text({ enum: ROLLUP_STEPS }).notNull(),
    /** Start of the hour or day (UTC). */
    startsAt: instant().notNull(),
    /** `mapping:1001`, `domain:17`; outlives them. `node:node-001`, of client 0: all that this relay has reported. */
    bindingId: text().notNull(),
    clientId: int53().notNull(),
    /** null: an anonymous client's. */
    userId: int53(),
    bytesIn: int53().notNull().default(0),
    bytesOut: int53().notNull().default(0),
    connections: int53().notNull().default(0),
  },
  (t) => [
    primaryKey({ columns: [t.bindingId, t.clientId, t.step, t.startsAt] }),
    index('usage_rollups_client').on(t.clientId, t.step, t.startsAt),
    index('usage_rollups_user').on(t.userId, t.step, t.startsAt),
    index('usage_rollups_time').on(t.step, t.startsAt),
    check('usage_rollups_step_known', oneOf(t.step, ROLLUP_STEPS)),
  ],
);

/** What a user's tunnels moved at a relay in the interval of its last report: the bandwidth that they use. */
export const userBandwidth = pgTable(
  'user_bandwidth',
  {
    userId: int53().notNull(),
    nodeId: text().notNull(),
    /** End of the interval; the parts of one report bear the same. */
    takenAt: instant().notNull(),
    intervalMs: int53().notNull(),
    bytes: int53().notNull(),
    /** When it came here: an interval that is over for long says nothing of now. */
    reportedAt: instant().notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.userId, t.nodeId] }),
    index('user_bandwidth_reported_at').on(t.reportedAt),
    check('user_bandwidth_counts', sql`${t.intervalMs} > 0 and ${t.bytes} >= 0`),
  ],
);

/** Agent sessions: when a client was attached, and where. */
export const clientSessions = pgTable(
  'client_sessions',
  {
    clientId: int53().notNull(),
    /** ULID of the agent's process, and its how-many-eth connection. */
    instanceId: text().notNull(),
    connectSeq: int53().notNull(),
    nodeId: text().notNull(),
    /** ULID of the relay's run. */
    incarnation: text().notNull(),
    attachedAt: instant().notNull(),
    /** null: it is attached, or its relay has died and nobody has noted it yet. */
    detachedAt: instant(),
  },
  (t) => [
    primaryKey({ columns: [t.clientId, t.instanceId, t.connectSeq] }),
    index('client_sessions_client').on(t.clientId, t.attachedAt),
    index('client_sessions_open')
      .on(t.incarnation)
      .where(sql`${t.detachedAt} is null`),
    index('client_sessions_detached_at').on(t.detachedAt),
  ],
);

/** Tunnels that have ended, as the agents' relays tell. */
export const connectionLog = pgTable(
  'connection_log',
  {
    id: int53().primaryKey().generatedAlwaysAsIdentity(),
    /** The id that stands in the relays' logs; a repeated report never counts twice. */
    tunnelId: text().notNull(),
    nodeId: text().notNull(),
    bindingId: text().notNull(),
    clientId: int53().notNull(),
    /** null: an anonymous client's. */
    userId: int53(),
    namespaceId: int53(),
    /** Visitor's address; for a private mapping the source client's id as `client:N`. */
    visitor: text().notNull(),
    startedAt: instant().notNull(),
    durationMs: int53().notNull(),
    bytesIn: int53().notNull(),
    bytesOut: int53().notNull(),
    /** Such as `closed`, or a cause of PROTOCOL.md. */
    closeReason: text().notNull(),
  },
  (t) => [
    uniqueIndex('connection_log_tunnel').on(t.tunnelId),
    index('connection_log_user').on(t.userId, t.id),
    index('connection_log_namespace').on(t.namespaceId, t.id),
    index('connection_log_client').on(t.clientId, t.id),
    index('connection_log_binding').on(t.bindingId, t.id),
    index('connection_log_started_at').on(t.startedAt),
    check('connection_log_counts', sql`least(${t.durationMs}, ${t.bytesIn}, ${t.bytesOut}) >= 0`),
  ],
);
