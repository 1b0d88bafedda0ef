import { sql } from 'drizzle-orm';
import type { SigningKeyRepository, StoredSigningKey } from '../services/live-ports.ts';
import type { Postgres } from './postgres.ts';

/** Signing keys; a unique index lets one key sign for a purpose, whoever adds first. */
export function createSigningKeyRepository(postgres: Postgres): SigningKeyRepository {
  return {
    async load(purpose) {
      return postgres.query<StoredSigningKey>(sql`
        select kid, public_jwk as "publicJwk", private_key_encrypted as "privateKeyEncrypted",
          state = 'active' as active
        from signing_keys
        where purpose = ${purpose} and (expires_at is null or expires_at > now())
        order by state = 'active' desc, created_at desc`);
    },
    async add(purpose, key) {
      await postgres.query(sql`
        insert into signing_keys (kid, purpose, public_jwk, private_key_encrypted)
        values (${key.kid}, ${purpose}, ${JSON.stringify(key.publicJwk)}::jsonb, ${key.privateKeyEncrypted})
        on conflict do nothing`);
    },
  };
}
