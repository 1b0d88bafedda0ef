import { type SQL, sql } from 'drizzle-orm';
import type { NewestPageRequest, PageRows } from '../services/page.ts';
import type { Postgres } from './postgres.ts';
import { all } from './sql-parts.ts';

/** Logs are long: nobody needs to know how many lines there are beyond this, and counting them takes long. */
const COUNT_MAX = 100_000;

/** Runs the two statements of a list that begins with the newest. @param select Statement without `where` and `order`. */
export async function selectNewestFirst<Row>(
  postgres: Postgres,
  list: { select: SQL; from: SQL; where: SQL[]; id: SQL },
  page: NewestPageRequest,
): Promise<PageRows<Row>> {
  const where = all(list.where);
  const before = page.before === null ? sql`true` : sql`${list.id} < ${page.before}`;
  const [rows, counts] = await Promise.all([
    postgres.query<Row>(sql`${list.select} from ${list.from} where ${where} and ${before}
      order by ${list.id} desc limit ${page.limit} offset ${page.offset}`),
    postgres.query<{ total: number }>(sql`select count(*) as total from (
      select from ${list.from} where ${where} limit ${COUNT_MAX}) counted`),
  ]);
  return { rows, total: counts[0]?.total ?? 0 };
}
