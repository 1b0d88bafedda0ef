import type { EncryptedKind } from '@tunnox/domain/api/encryption-keys';
import { type SQL, sql } from 'drizzle-orm';
import type { EncryptedText, EncryptedTextRepository } from '../services/encryption-key-service.ts';
import type { Postgres } from './postgres.ts';
import { insertAudit } from './sql-parts.ts';

/** Where encrypted texts stand: table, column, and what orders and finds its rows. */
const PLACES: Record<EncryptedKind, { table: string; column: string; id: string }> = {
  dns_tokens: { table: 'provider_credentials', column: 'token_encrypted', id: 'credential_id' },
  certificate_keys: { table: 'certificates', column: 'key_encrypted', id: 'certificate_id' },
  certificate_order_keys: { table: 'certificates', column: 'next_key_encrypted', id: 'certificate_id' },
  acme_account_keys: { table: 'acme_accounts', column: 'key_encrypted', id: 'directory_url' },
  signing_keys: { table: 'signing_keys', column: 'private_key_encrypted', id: 'kid' },
  mapping_secrets: { table: 'port_mappings', column: 'secret_encrypted', id: 'mapping_id' },
  client_handovers: { table: 'clients', column: 'handover_encrypted', id: 'client_id' },
  stored_answers: { table: 'idempotency_keys', column: 'body_encrypted', id: `principal || ' ' || key` },
};

/** Everything that is stored encrypted, wherever it stands. */
export function createEncryptedTextRepository(postgres: Postgres): EncryptedTextRepository {
  return {
    page(kind, after, limit) {
      const { table, column, id } = partsOf(kind);
      const from = after === null ? sql`true` : sql`(${id})::text collate "C" > ${after}`;
      return postgres.query<EncryptedText>(sql`
        select (${id})::text as id, ${column} as text from ${table} where ${column} is not null and ${from}
        order by (${id})::text collate "C" limit ${limit}`);
    },

    async replace(kind, changes) {
      const { table, column, id } = partsOf(kind);
      // A secret that was changed meanwhile is of the present key already.
      const [row] = await postgres.query<{ count: number }>(sql`
        with wishes as (
          select * from jsonb_to_recordset(${JSON.stringify(changes)}::jsonb) as w(id text, before text, after text)
        ), renewed as (
          update ${table} set ${column} = w.after from wishes w
          where (${id})::text = w.id and ${column} = w.before returning 1
        )
        select count(*) as count from renewed`);
      return row?.count ?? 0;
    },

    async audit(entry) {
      const none = sql`null::bigint`;
      await postgres.query(insertAudit(entry, 'encryption_key', sql`'all'`, none, sql`(select 1) one`));
    },
  };
}

function partsOf(kind: EncryptedKind): { table: SQL; column: SQL; id: SQL } {
  const { table, column, id } = PLACES[kind];
  return { table: sql.raw(table), column: sql.raw(column), id: sql.raw(id) };
}
