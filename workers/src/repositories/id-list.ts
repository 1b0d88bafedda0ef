import { type SQL, sql } from 'drizzle-orm';

/** Right side of `= …` for a list of ids: one parameter, however many. */
export function idList(ids: number[]): SQL {
  return sql`any(${`{${ids.join(',')}}`}::bigint[])`;
}
