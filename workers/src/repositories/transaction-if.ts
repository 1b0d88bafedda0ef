import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { type SQL, sql } from 'drizzle-orm';
import type { IfVersion } from '../services/if-version.ts';
import { type Postgres, PostgresError } from './postgres.ts';
import { array } from './sql-parts.ts';

/** Columns by which objects with a `row_version` are found. */
const KEYS = {
  users: 'user_id',
  clients: 'client_id',
  port_mappings: 'mapping_id',
  http_domain_mappings: 'id',
  namespaces: 'namespace_id',
  provider_credentials: 'credential_id',
  dns_zones: 'zone_id',
} as const;

const DIVISION_BY_ZERO = '22012';

/**
 * Runs a change in one transaction, if the object has one of the versions then. Statements of a transaction are sent
 * together and cannot be chosen by what an earlier one finds, so a wrong version makes the guard fail, and with it
 * everything. The row stays locked until the end: of two changes with the same condition one is made.
 *
 * @param lock First statement, see lockOwner().
 * @returns The rows of the last statement.
 * @throws {TunnoxError} `precondition_failed`
 */
export async function transactionIf<Row>(
  postgres: Postgres,
  lock: SQL,
  object: { table: keyof typeof KEYS; id: number; ifVersion: IfVersion },
  ...statements: [SQL, ...SQL[]]
): Promise<Row[]> {
  const { table, id, ifVersion } = object;
  if (ifVersion === null) return await postgres.transaction<Row>(lock, ...statements);
  const guard = sql`select 1 / count(*) as has_version from (
    select 1 from ${sql.identifier(table)} where ${sql.identifier(KEYS[table])} = ${id}
      and row_version = any(${array(ifVersion, 'bigint')}) for no key update) matching`;
  try {
    return await postgres.transaction<Row>(lock, guard, ...statements);
  } catch (error) {
    if (error instanceof PostgresError && error.sqlState === DIVISION_BY_ZERO) {
      throw new TunnoxError('precondition_failed', 'If-Match names no version that the object has now', {
        cause: error,
      });
    }
    throw error;
  }
}
