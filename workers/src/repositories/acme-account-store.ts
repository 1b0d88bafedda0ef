import { sql } from 'drizzle-orm';
import { exportJWK, generateKeyPair, importJWK, type JWK } from 'jose';
import type { AcmeAccountStore } from '../certificates/certificate-ports.ts';
import type { KeyedCipher } from '../services/keyed-cipher.ts';
import type { Postgres } from './postgres.ts';

const ALGORITHM = 'ES256';

interface AccountRow {
  account_url: string | null;
  key_encrypted: string;
  blocked_s: number;
}

/** Accounts at certificate authorities; whichever Worker is first makes the key. */
export function createAcmeAccountStore(postgres: Postgres, cipher: KeyedCipher): AcmeAccountStore {
  const read = async (directoryUrl: string) => {
    const [row] = await postgres.query<AccountRow>(sql`
      select account_url, key_encrypted,
        coalesce(greatest(0, ceil(extract(epoch from blocked_until - now()))), 0)::int as blocked_s
      from acme_accounts where directory_url = ${directoryUrl}`);
    return row;
  };
  /** null: there is none, or one of a key that this server was not given: another account does as well. */
  const open = async (row: AccountRow | undefined): Promise<JWK | null> => {
    if (row === undefined) return null;
    try {
      return JSON.parse(new TextDecoder().decode(await cipher.decrypt(row.key_encrypted))) as JWK;
    } catch {
      return null;
    }
  };
  return {
    async load(directoryUrl) {
      let row = await read(directoryUrl);
      let jwk = await open(row);
      if (row === undefined || jwk === null) {
        const { privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
        const text = JSON.stringify(await exportJWK(privateKey));
        const keyEncrypted = await cipher.encrypt(new TextEncoder().encode(text));
        await postgres.query(sql`
          insert into acme_accounts as a (directory_url, key_encrypted) values (${directoryUrl}, ${keyEncrypted})
          on conflict (directory_url) do update set key_encrypted = excluded.key_encrypted, account_url = null
          where a.key_encrypted = ${row?.key_encrypted ?? null}`);
        row = await read(directoryUrl);
        jwk = await open(row);
      }
      if (row === undefined || jwk === null) throw new Error('Cannot make an ACME account: its row is missing');
      const privateKey = await importJWK(jwk, ALGORITHM);
      if (privateKey instanceof Uint8Array) throw new Error('Cannot use a symmetric key for an ACME account');
      const { kty, crv, x, y } = jwk;
      return {
        ...{ privateKey, publicJwk: { kty, crv, x, y } as JWK },
        ...{ accountUrl: row.account_url, blockedS: row.blocked_s },
      };
    },

    async saveUrl(directoryUrl, accountUrl) {
      await postgres.query(sql`
        update acme_accounts set account_url = ${accountUrl} where directory_url = ${directoryUrl}`);
    },

    async forgetUrl(directoryUrl, accountUrl) {
      // Another Worker may have made a new one meanwhile.
      await postgres.query(sql`update acme_accounts set account_url = null
        where directory_url = ${directoryUrl} and account_url = ${accountUrl}`);
    },

    async block(directoryUrl, seconds) {
      await postgres.query(sql`
        update acme_accounts set blocked_until = greatest(blocked_until, now() + make_interval(secs => ${seconds}))
        where directory_url = ${directoryUrl}`);
    },
  };
}
