import { sql } from 'drizzle-orm';
import type { CredentialStore, OpenCredential } from '../dns-sync/zone-opener.ts';
import { ProviderError } from '../dns-sync/zone-provider.ts';
import type { KeyedCipher } from '../services/keyed-cipher.ts';
import { CALL_WINDOW } from './dns-credential-repository.ts';
import type { Postgres } from './postgres.ts';
import { type ReconcilerClock, reconcilerNow } from './zone-clock.ts';

/** Opens credentials, and counts their calls where all control planes see them. */
export function createCredentialStore(
  postgres: Postgres,
  cipher: KeyedCipher,
  clock: ReconcilerClock = {},
): CredentialStore {
  const now = () => reconcilerNow(clock);
  return {
    async load(credentialId) {
      const [row] = await postgres.query<Omit<OpenCredential, 'token'> & { tokenEncrypted: string }>(sql`
        select c.credential_id as "credentialId", c.provider, c.token_encrypted as "tokenEncrypted", c.endpoint,
          c.user_id is not null as "isTenant"
        from provider_credentials c where c.credential_id = ${credentialId}`);
      if (row === undefined) throw new ProviderError('unauthorized', 'The credential of this zone was deleted');
      const { tokenEncrypted, ...rest } = row;
      try {
        return { ...rest, token: new TextDecoder().decode(await cipher.decrypt(tokenEncrypted)) };
      } catch (cause) {
        throw new ProviderError('unauthorized', 'The token cannot be decrypted: was ENCRYPTION_KEY changed?', {
          cause,
        });
      }
    },

    async takeCall(credentialId, callsMax) {
      // One statement decides: the window begins anew once it is over, and nothing is taken while it is full or blocked.
      const [row] = await postgres.query<{ taken: boolean; wait_s: number }>(sql`
        with old as (
          select c.credential_id, coalesce(c.window_started_at <= ${now()} - ${CALL_WINDOW}, true) as is_over,
            c.blocked_until > ${now()} as is_blocked, c.blocked_until, c.window_started_at, c.window_calls
          from provider_credentials c where c.credential_id = ${credentialId} for update
        ), taken as (
          update provider_credentials c set
            window_started_at = case when old.is_over then ${now()} else c.window_started_at end,
            window_calls = case when old.is_over then 1 else c.window_calls + 1 end
          from old where c.credential_id = old.credential_id and old.is_blocked is not true
            and (old.is_over or old.window_calls < ${callsMax})
          returning c.credential_id
        )
        select exists (select 1 from taken) as taken, greatest(1, ceil(extract(epoch from
          case when old.is_blocked then old.blocked_until else old.window_started_at + ${CALL_WINDOW} end - ${now()})))::int
          as wait_s
        from old`);
      if (row === undefined) return 1;
      return row.taken ? 0 : row.wait_s;
    },

    async block(credentialId, seconds) {
      await postgres.query(sql`
        update provider_credentials
        set blocked_until = greatest(blocked_until, ${now()} + make_interval(secs => ${seconds}))
        where credential_id = ${credentialId}`);
    },
  };
}
