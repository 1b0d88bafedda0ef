import { type SQL, sql } from 'drizzle-orm';
import type { DnsCredentialRepository, DnsCredentialRow } from '../services/dns-ports.ts';
import { FOREIGN_KEY_VIOLATION, type Postgres, PostgresError } from './postgres.ts';
import { assignments, insertAudit, moment, ownRows, selectPage } from './sql-parts.ts';
import { transactionIf } from './transaction-if.ts';

/** Window in which a credential's calls are counted. */
export const CALL_WINDOW = sql.raw(`interval '5 minutes'`);

/** Errors that another token or endpoint may heal. */
const WITH_CREDENTIAL = sql.raw(`'unauthorized', 'zone_missing', 'unreachable', 'rate_limited', 'held'`);

const SELECT = sql`select c.credential_id, c.user_id, c.name, c.provider, c.endpoint,
  case when c.window_started_at > now() - ${CALL_WINDOW} then c.window_calls else 0 end as calls,
  case when c.blocked_until > now() then ${moment('c.blocked_until')} end as blocked_until,
  (select count(*) from dns_zones z where z.credential_id = c.credential_id) as zones,
  ${moment('c.created_at')} as created_at, ${moment('c.updated_at')} as updated_at, c.row_version as version`;

/** Tokens of DNS providers, encrypted. */
export function createDnsCredentialRepository(postgres: Postgres): DnsCredentialRepository {
  return {
    async create({ userId, name, provider, tokenEncrypted, endpoint }, audit) {
      const [row] = await postgres.query<{ credential_id: number }>(sql`
        with made as (
          insert into provider_credentials (user_id, name, provider, token_encrypted, endpoint)
          values (${userId}, ${name}, ${provider}, ${tokenEncrypted}, ${endpoint}) returning credential_id, user_id
        ), audited as (${auditCredential(audit, 'made')})
        select credential_id from made`);
      if (row === undefined) throw new Error('Cannot store a credential: no row was made');
      return row.credential_id;
    },

    async find(credentialId, tenant) {
      const [row] = await postgres.query<DnsCredentialRow>(sql`${SELECT} from provider_credentials c
        where c.credential_id = ${credentialId} and ${ownRows('c.user_id', tenant)}`);
      return row ?? null;
    },

    list: (tenant, page) =>
      selectPage<DnsCredentialRow>(
        postgres,
        {
          select: SELECT,
          from: sql`provider_credentials c`,
          where: [ownRows('c.user_id', tenant)],
          id: sql`c.credential_id`,
        },
        page,
      ),

    async update(credentialId, { name, tokenEncrypted, endpoint }, audit, ifVersion) {
      const set = assignments({
        name: name === undefined ? undefined : sql`${name}`,
        token_encrypted: tokenEncrypted === undefined ? undefined : sql`${tokenEncrypted}`,
        endpoint: endpoint === undefined ? undefined : sql`${endpoint}`,
        // Another token has calls of its own.
        window_calls: tokenEncrypted === undefined ? undefined : sql`0`,
        blocked_until: tokenEncrypted === undefined ? undefined : sql`null`,
      });
      const isOther = sql.raw(String(tokenEncrypted !== undefined || endpoint !== undefined));
      const rows = await transactionIf<{ zone_ids: number[] | null }>(
        postgres,
        lockCredential(credentialId),
        { table: 'provider_credentials', id: credentialId, ifVersion },
        sql`
        with changed as (
          update provider_credentials set ${sql.join(
            [...set, sql`row_version = row_version + 1`, sql`updated_at = now()`],
            sql`, `,
          )}
          where credential_id = ${credentialId} returning credential_id, user_id
        ), due as (
          update domain_dns_records r set next_retry_at = now(), retry_count = 0 from changed join dns_zones z using (credential_id)
          where ${isOther} and r.zone_id = z.zone_id and r.last_error_code in (${WITH_CREDENTIAL}) returning r.zone_id
        ), audited as (${auditCredential(audit, 'changed')})
        select (select array_agg(z.zone_id) from dns_zones z where ${isOther} and z.credential_id = changed.credential_id)
          as zone_ids from changed`,
      );
      const [row] = rows;
      return row === undefined ? null : (row.zone_ids ?? []);
    },

    async remove(credentialId, audit, ifVersion) {
      try {
        const rows = await transactionIf(
          postgres,
          lockCredential(credentialId),
          { table: 'provider_credentials', id: credentialId, ifVersion },
          sql`
          with gone as (
            delete from provider_credentials where credential_id = ${credentialId} returning credential_id, user_id
          ), audited as (${auditCredential(audit, 'gone')})
          select credential_id from gone`,
        );
        return rows.length > 0 ? 'done' : 'gone';
      } catch (error) {
        if (error instanceof PostgresError && error.sqlState === FOREIGN_KEY_VIOLATION) return 'in_use';
        throw error;
      }
    },
  };
}

function lockCredential(credentialId: number): SQL {
  return sql`select credential_id from provider_credentials where credential_id = ${credentialId} for update`;
}

function auditCredential(audit: Parameters<typeof insertAudit>[0], from: 'made' | 'changed' | 'gone'): SQL {
  const table = sql.raw(from);
  return insertAudit(audit, 'dns_credential', sql`${table}.credential_id::text`, sql`${table}.user_id`, table);
}
