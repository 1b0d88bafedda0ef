import { sql } from 'drizzle-orm';
import type { IdempotencyRepository } from '../services/node-ports.ts';
import type { Cipher } from '../services/ports.ts';
import { sameSecret } from '../services/secret.ts';
import type { Postgres } from './postgres.ts';

/** Answers are kept so long; whoever asks later asks anew. */
const KEPT = sql.raw(`interval '24 hours'`);
/** A Worker that has not answered by then is dead: another try may do the work. */
const RUNNING_MAX = sql.raw(`interval '1 minute'`);

interface Kept {
  mine: boolean;
  request_hash: string;
  status: number | null;
  body_encrypted: string | null;
}

/** First answers of repeated requests, encrypted because they hold secrets. */
export function createIdempotencyRepository(postgres: Postgres, answers: Cipher): IdempotencyRepository {
  return {
    async begin(principal, key, requestHash) {
      const [row] = await postgres.query<Kept>(sql`
        with taken as (
          insert into idempotency_keys as i (principal, key, request_hash) values (${principal}, ${key}, ${requestHash})
          on conflict (principal, key) do update
            set request_hash = excluded.request_hash, status = null, body_encrypted = null, created_at = now()
            where i.created_at < now() - ${KEPT} or (i.status is null and i.created_at < now() - ${RUNNING_MAX})
          returning request_hash
        )
        select true as mine, request_hash, null::int as status, null as body_encrypted from taken
        union all
        select false, request_hash, status, body_encrypted from idempotency_keys
        where principal = ${principal} and key = ${key} and not exists (select from taken)`);
      // Between the two looks of one statement the key's first request was committed.
      if (row === undefined) return { kind: 'running' };
      if (row.mine) return { kind: 'first' };
      if (!sameSecret(row.request_hash, requestHash)) return { kind: 'other' };
      if (row.status === null || row.body_encrypted === null) return { kind: 'running' };
      const body = new TextDecoder().decode(await answers.decrypt(row.body_encrypted));
      return { kind: 'done', status: row.status, body };
    },

    async finish(principal, key, status, body) {
      const encrypted = await answers.encrypt(new TextEncoder().encode(body));
      await postgres.query(sql`update idempotency_keys set status = ${status}, body_encrypted = ${encrypted}
        where principal = ${principal} and key = ${key}`);
    },

    async forget(principal, key) {
      await postgres.query(sql`delete from idempotency_keys where principal = ${principal} and key = ${key}`);
    },
  };
}
