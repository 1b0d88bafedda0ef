import type { AuditEntry } from '@tunnox/domain/api/audit';
import { type SQL, sql } from 'drizzle-orm';
import type { AuditFilter, AuditRepository } from '../services/audit-service.ts';
import { selectNewestFirst } from './newest-first.ts';
import type { Postgres } from './postgres.ts';
import { all, moment } from './sql-parts.ts';

const COLUMNS = sql`a.id as audit_id, ${moment('a.at')} as at, a.actor_type, a.actor_id, a.user_id, a.action,
  a.object_type, a.object_id, a.before, a.after, a.request_id`;

/**
 * Every transaction that began before the line's own has ended: none can still write a line of a lower id. Old lines
 * need not be asked, a statement runs for seconds.
 */
const SETTLED = sql`(a.at < now() - interval '1 minute' or age(a.xmin) > age((pg_snapshot_xmin(pg_current_snapshot()))::xid))`;

/** The audit log, as it is read; it is written with each change (`insertAudit`). */
export function createAuditRepository(postgres: Postgres): AuditRepository {
  return {
    list: (filter, page) =>
      selectNewestFirst<AuditEntry & { id: number }>(
        postgres,
        { select: sql`select a.id, ${COLUMNS}`, from: sql`audit_log a`, where: conditions(filter), id: sql`a.id` },
        page,
      ),
    after: (filter, after, limit) =>
      postgres.query<AuditEntry>(sql`
        select ${COLUMNS} from audit_log a where ${all(conditions(filter))} and a.id > ${after} and ${SETTLED}
        order by a.id limit ${limit}`),
  };
}

function conditions({ userId, action, objectType, objectId, requestId, from, to }: AuditFilter): SQL[] {
  return [
    ...(userId === undefined ? [] : [sql`a.user_id = ${userId}`]),
    ...(action === undefined ? [] : [sql`a.action = ${action}`]),
    ...(objectType === undefined ? [] : [sql`a.object_type = ${objectType}`]),
    ...(objectId === undefined ? [] : [sql`a.object_id = ${objectId}`]),
    ...(requestId === undefined ? [] : [sql`a.request_id = ${requestId}`]),
    ...(from === undefined ? [] : [sql`a.at >= ${from}`]),
    ...(to === undefined ? [] : [sql`a.at < ${to}`]),
  ];
}
