import { fileURLToPath } from 'node:url';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate as applyMigrations } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';

/** Any number that nobody else uses: two migrations of one database wait for each other. */
const ADVISORY_LOCK = 7_401_001;

const MIGRATIONS_FOLDER = fileURLToPath(new URL('../../../migrations', import.meta.url));

export interface MigrateOptions {
  /** `postgres://user:password@host/database`. */
  url: string;
  /** Time-out for connecting, in milliseconds. */
  connectTimeoutMs?: number;
}

/**
 * Brings the database to the newest schema: applies, in one transaction, the migrations that it does not have yet.
 * Does nothing when there are none; safe when several run at once.
 *
 * @throws When the database cannot be reached or a migration fails; then nothing was changed.
 */
export async function migrate(options: MigrateOptions): Promise<void> {
  const client = new pg.Client({
    connectionString: options.url,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 10_000,
  });
  await client.connect();
  try {
    // `create … if not exists` of the migrator tells a notice each time.
    await client.query('set client_min_messages to warning');
    await client.query('select pg_advisory_lock($1)', [ADVISORY_LOCK]);
    await applyMigrations(drizzle({ client }), { migrationsFolder: MIGRATIONS_FOLDER });
  } finally {
    await client.end();
  }
}
