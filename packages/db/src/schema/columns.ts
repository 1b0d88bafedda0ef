import { sql, type SQL } from 'drizzle-orm';
import { bigint, timestamp, type PgColumn } from 'drizzle-orm/pg-core';

/** `timestamptz` in milliseconds, a `Date` in JavaScript. */
export const instant = () => timestamp({ withTimezone: true, mode: 'date', precision: 3 });

/** An integer that may pass 2^31 and always fits a double. */
export const int53 = () => bigint({ mode: 'number' });

/** Condition of a check constraint: the column holds one of `values`. */
export function oneOf(column: PgColumn, values: readonly string[]): SQL {
  return sql`${column} in (${sql.raw(values.map((value) => `'${value}'`).join(', '))})`;
}

/** Condition of a check constraint: the column is a port, or null. */
export function isPort(column: PgColumn): SQL {
  return sql`${column} between 1 and 65535`;
}
