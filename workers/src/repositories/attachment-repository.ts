import { sql } from 'drizzle-orm';
import type { AttachmentRepository } from '../services/live-ports.ts';
import type { Postgres } from './postgres.ts';
import { array } from './sql-parts.ts';

/** What attaching and detaching leave behind in the clients' rows. */
export function createAttachmentRepository(postgres: Postgres): AttachmentRepository {
  return {
    async recordSeen(clientIds) {
      if (clientIds.length === 0) return;
      await postgres.query(
        sql`update clients set last_seen_at = now() where client_id = any(${array(clientIds, 'bigint')})`,
      );
    },
    async recordApplied(clientId, version) {
      await postgres.query(sql`
        update clients set config_applied_version = ${version}, last_seen_at = now()
        where client_id = ${clientId} and config_applied_version < ${version}`);
    },
  };
}
