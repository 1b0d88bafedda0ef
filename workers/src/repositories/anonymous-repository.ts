import { sql } from 'drizzle-orm';
import type { AnonymousRepository } from '../services/live-ports.ts';
import type { Postgres } from './postgres.ts';
import { insertAudit } from './sql-parts.ts';

/** Anonymous clients are made in one statement with the count of their network. */
export function createAnonymousRepository(postgres: Postgres): AnonymousRepository {
  return {
    async create({ clientId, name, authCodeHash, lifeS, network, perHourMax }, audit) {
      const [row] = await postgres.query<{ counted: boolean; made: boolean }>(sql`
        with slot as (
          insert into anonymous_creations as a (network, hour) values (${network}, date_trunc('hour', now()))
          on conflict (network, hour) do update set created = a.created + 1 where a.created < ${perHourMax}
          returning created
        ), made as (
          insert into clients (client_id, type, auth_code_hash, name, expires_at)
          select ${clientId}::bigint, 'anonymous', ${authCodeHash}::text, ${name}::text,
            now() + make_interval(secs => ${lifeS})
          from slot on conflict (client_id) do nothing returning client_id
        ), audited as (${insertAudit(audit, 'client', sql`made.client_id::text`, sql`null::bigint`, sql`made`)})
        select exists (select 1 from slot) as counted, exists (select 1 from made) as made`);
      if (row?.counted !== true) return 'limited';
      return row.made ? 'made' : 'collision';
    },
  };
}
