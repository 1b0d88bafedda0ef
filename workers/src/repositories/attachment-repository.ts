import { sql } from 'drizzle-orm';
import type { AttachmentRepository } from '../services/live-ports.ts';
import type { Postgres } from './postgres.ts';
import { beginSessions, endSessions, lockAndSee } from './session-sql.ts';

/** What attaching and detaching leave behind: clients' sessions, and how long they lasted in the clients' rows. */
export function createAttachmentRepository(postgres: Postgres): AttachmentRepository {
  return {
    async recordAttached(sessions) {
      if (sessions.length > 0) await postgres.transaction(lockAndSee(sessions), beginSessions(sessions));
    },
    async recordDetached(sessions) {
      if (sessions.length > 0) await postgres.transaction(lockAndSee(sessions), endSessions(sessions));
    },
    async recordApplied(clientId, version, problems) {
      const found = JSON.stringify(problems);
      await postgres.query(sql`
        update clients set config_applied_version = ${version}, config_problems = ${found}::jsonb, last_seen_at = now()
        where client_id = ${clientId} and (config_applied_version < ${version}
          or config_applied_version = ${version} and config_problems <> ${found}::jsonb)`);
    },
  };
}
