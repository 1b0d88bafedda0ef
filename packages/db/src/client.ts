import { neon, neonConfig, types } from '@neondatabase/serverless';
import { drizzle, type NeonHttpDatabase } from 'drizzle-orm/neon-http';

/**
 * Postgres as the Worker sees it: single statements and non-interactive transactions (`batch`) over HTTP. There is no
 * connection to hold, so nothing to close.
 */
export type Database = NeonHttpDatabase;

export interface DatabaseOptions {
  /** `postgres://user:password@host/database`. */
  url: string;
  /** URL of a Neon-compatible gateway's `/sql`; absent: Neon's own for the host in `url`. */
  fetchEndpoint?: string | undefined;
}

/** One statement or transaction, the wake-up of a sleeping database included. */
const STATEMENT_TIMEOUT_MS = 8000;

const INT8 = 20;
const INT8_ARRAY = 1016;

/** Opens the database over Neon's HTTP protocol. `bigint` columns are numbers: none of ours passes 2^53. */
export function openDatabase(options: DatabaseOptions): Database {
  const { fetchEndpoint } = options;
  neonConfig.fetchFunction = (input: Parameters<typeof fetch>[0], init?: RequestInit) =>
    fetch(input, { ...init, signal: AbortSignal.timeout(STATEMENT_TIMEOUT_MS) });
  if (fetchEndpoint !== undefined) neonConfig.fetchEndpoint = () => fetchEndpoint;
  types.setTypeParser(INT8, Number);
  types.setTypeParser(INT8_ARRAY, (text: string) => text.slice(1, -1).split(',').filter(Boolean).map(Number));
  return drizzle({ client: neon(options.url), casing: 'snake_case' });
}
