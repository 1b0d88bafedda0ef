import type { SigningKey } from '@tunnox/domain/api/signing-keys';
import { type SQL, sql } from 'drizzle-orm';
import type {
  KeyPurpose,
  NewSigningKey,
  SigningKeyRepository,
  StoredSigningKey,
} from '../services/signing-key-ports.ts';
import type { Postgres } from './postgres.ts';
import { insertAudit, moment } from './sql-parts.ts';

const LIVING = sql.raw(`(expires_at is null or expires_at > now())`);
const SHOWN = sql`k.kid, k.purpose, k.algorithm, k.state, ${moment('k.created_at')} as created_at,
  ${moment('k.expires_at')} as expires_at`;

/** Signing keys; a unique index lets one key be the active one of a purpose, whoever adds first. */
export function createSigningKeyRepository(postgres: Postgres): SigningKeyRepository {
  return {
    load: (purpose) =>
      postgres.query<StoredSigningKey>(sql`
        select kid, algorithm, public_jwk as "publicJwk", private_key_encrypted as "privateKeyEncrypted",
          state = 'active' as active, (extract(epoch from created_at) * 1000)::bigint as "createdAtMs"
        from signing_keys where purpose = ${purpose} and ${LIVING}
        order by created_at desc, state = 'active' desc`),

    list: () =>
      postgres.query<SigningKey>(sql`
        select ${SHOWN} from signing_keys k where ${LIVING} order by k.purpose, k.created_at desc, k.kid`),

    async add(purpose, key) {
      await postgres.query(sql`${insertKey(purpose, key)} on conflict do nothing`);
    },

    async replace(purpose, key, { retiredForS, keysMax, countedForS, audit }) {
      const counted =
        countedForS === null ? LIVING : sql`created_at > now() - make_interval(secs => ${countedForS}::int)`;
      const [row] = await postgres.transaction<SigningKey>(
        sql`
        update signing_keys set state = 'retired', expires_at = now() + make_interval(secs => ${retiredForS}::int)
        where purpose = ${purpose} and state = 'active'
          and (select count(*) from signing_keys where purpose = ${purpose} and ${counted}) < ${keysMax}`,
        // Not made while another one is active: then nothing was retired, or somebody else was faster.
        sql`
        with k as (${insertKey(purpose, key)} on conflict do nothing returning *),
        audited as (${insertAudit(audit, 'signing_key', sql`k.kid`, sql`null::bigint`, sql`k`)})
        select ${SHOWN} from k`,
      );
      return row ?? null;
    },

    async removeEnded() {
      await postgres.query(sql`delete from signing_keys where expires_at < now()`);
    },
  };
}

function insertKey(purpose: KeyPurpose, { kid, algorithm, publicJwk, privateKeyEncrypted }: NewSigningKey): SQL {
  const stored = publicJwk === null ? null : JSON.stringify(publicJwk);
  return sql`insert into signing_keys (kid, purpose, algorithm, public_jwk, private_key_encrypted)
    values (${kid}, ${purpose}, ${algorithm}, ${stored}::jsonb, ${privateKeyEncrypted})`;
}
