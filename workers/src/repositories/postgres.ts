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

/**
 * Refusals that speak of the server and not of the statement: connection (08), login (28), resources such as a full disk
 * (53), intervention such as a shutdown or the statement's time-out (57), input and output (58), a standby (25006).
 */
const AWAY = /^(?:08|28|53|57|58)|^25006$/;

/** A character that Postgres cannot store, such as U+0000. */
const UNSTORABLE = new Set(['22021', '22P05']);

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
 * @throws {TunnoxError} `unavailable` when Postgres cannot be reached or cannot work now, `invalid` for a text that it
 *   cannot store.
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
      const cause = originOf(error);
      const refused = toPostgresError(cause);
      if (refused === null || AWAY.test(refused.sqlState)) {
        throw new TunnoxError('unavailable', 'The database cannot be reached now', { cause, retryAfterS: 2 });
      }
      if (UNSTORABLE.has(refused.sqlState)) {
        throw new TunnoxError('invalid', 'A text has a character that cannot be stored, such as U+0000', { cause });
      }
      if (!TRY_AGAIN.has(refused.sqlState) || tries === TRIES_MAX) throw refused;
    }
  }
}

/** The error below the query builder's own, which repeats the statement's values: they are not for logs. */
function originOf(error: unknown): unknown {
  let origin = error;
  while (origin instanceof Error && origin.name !== 'NeonDbError' && origin.cause !== undefined) origin = origin.cause;
  return origin;
}

/** null: not Postgres said no, but it could not be asked. */
function toPostgresError(error: unknown): PostgresError | null {
  if (!(error instanceof Error) || error.name !== 'NeonDbError') return null;
  const { code, constraint } = error as { code?: unknown; constraint?: unknown };
  if (typeof code !== 'string' || !/^[0-9A-Z]{5}$/.test(code)) return null;
  return new PostgresError(code, typeof constraint === 'string' ? constraint : undefined, error);
}
