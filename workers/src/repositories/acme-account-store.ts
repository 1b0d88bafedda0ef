import { sql } from 'drizzle-orm';
import { exportJWK, generateKeyPair, importJWK, type JWK } from 'jose';
import type { AcmeAccountStore } from '../certificates/certificate-ports.ts';
import type { KeyedCipher } from '../services/keyed-cipher.ts';
import type { Postgres } from './postgres.ts';

const ALGORITHM = 'ES256';

/** Accounts at certificate authorities; whichever Worker is first makes the key. */
export function createAcmeAccountStore(postgres: Postgres, cipher: KeyedCipher): AcmeAccountStore {
  const read = async (directoryUrl: string) => {
    const [row] = await postgres.query<{ account_url: string | null; key_encrypted: string }>(sql`
      select account_url, key_encrypted from acme_accounts where directory_url = ${directoryUrl}`);
    return row;
  };
  return {
    async load(directoryUrl) {
      let row = await read(directoryUrl);
      if (row === undefined) {
        const { privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
        const text = JSON.stringify(await exportJWK(privateKey));
        const keyEncrypted = await cipher.encrypt(new TextEncoder().encode(text));
        await postgres.query(sql`
          insert into acme_accounts (directory_url, key_encrypted) values (${directoryUrl}, ${keyEncrypted})
          on conflict do nothing`);
        row = await read(directoryUrl);
      }
      if (row === undefined) throw new Error('Cannot make an ACME account: its row is missing');
      const jwk = JSON.parse(new TextDecoder().decode(await cipher.decrypt(row.key_encrypted))) as JWK;
      const privateKey = await importJWK(jwk, ALGORITHM);
      if (privateKey instanceof Uint8Array) throw new Error('Cannot use a symmetric key for an ACME account');
      const { kty, crv, x, y } = jwk;
      return { privateKey, publicJwk: { kty, crv, x, y } as JWK, accountUrl: row.account_url };
    },

    async saveUrl(directoryUrl, accountUrl) {
      await postgres.query(sql`
        update acme_accounts set account_url = ${accountUrl} where directory_url = ${directoryUrl}`);
    },
  };
}
