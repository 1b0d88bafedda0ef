import type { Database } from '@tunnox/db/client';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import type { SQL } from 'drizzle-orm';

/** A statement that Postgres refused. */
export class PostgresError extends Error {
  /** SQLSTATE, such as `23505` (unique violation). */
  readonly sqlState: string;
  /** Constraint or index that was violated. */
  readonly constraint: string | undefined;

  constructor(sqlState: string, constraint: string | undefined, cause: unknown) {
    super(`Postgres refused the statement: ${sqlState}${constraint === undefined ? '' : ` (${constraint})`}`, {
      cause,
    });
    this.name = 'PostgresError';
    this.sqlState = sqlState;
    this.constraint = constraint;
  }
}

export const UNIQUE_VIOLATION = '23505';
export const FOREIGN_KEY_VIOLATION = '23503';

/** Deadlock and serialisation failure: nothing was done, the same transaction may pass now. */
const TRY_AGAIN = new Set(['40P01', '40001']);
const TRIES_MAX = 3;

/** Statements of the repositories, with errors told apart. */
export interface Postgres {
  /** Runs one statement. */
  query<Row>(statement: SQL): Promise<Row[]>;
  /**
   * Runs several in one transaction (READ COMMITTED: each sees what was committed before it began, so a lock taken by
   * the first makes the counts of the next ones exact).
   *
   * @returns The rows of the last statement.
   */
  transaction<Row>(...statements: [SQL, ...SQL[]]): Promise<Row[]>;
}

/**
 * @throws {PostgresError} from every method when Postgres refuses.
 * @throws {TunnoxError} `unavailable` when Postgres cannot be reached.
 */
export function createPostgres(database: Database): Postgres {
  return {
    query: (statement) => run(async () => (await database.execute(statement)).rows),
    transaction: (first, ...others) =>
      run(async () => {
        const results = await database.batch([database.execute(first), ...others.map((one) => database.execute(one))]);
        return results.at(-1)?.rows ?? [];
      }),
  };
}

async function run<Row>(work: () => Promise<unknown[]>): Promise<Row[]> {
  for (let tries = 1; ; tries += 1) {
    try {
      return (await work()) as Row[];
    } catch (error) {
      const refused = toPostgresError(error);
      if (refused === null) {
        throw new TunnoxError('unavailable', 'The database cannot be reached now', { cause: error, retryAfterS: 2 });
      }
      if (!TRY_AGAIN.has(refused.sqlState) || tries === TRIES_MAX) throw refused;
    }
  }
}

/** null: not Postgres said no, but it could not be asked. */
function toPostgresError(error: unknown): PostgresError | null {
  for (let current = error; current instanceof Error; current = current.cause) {
    const { code, constraint } = current as { code?: unknown; constraint?: unknown };
    if (current.name === 'NeonDbError' && typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)) {
      return new PostgresError(code, typeof constraint === 'string' ? constraint : undefined, error);
    }
  }
  return null;
}
