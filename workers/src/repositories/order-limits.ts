import { type SQL, sql } from 'drizzle-orm';
import type { OrderLimits } from '../certificates/certificate-ports.ts';
import type { Postgres } from './postgres.ts';

const HOUR_S = 3600;
const DAY_S = 24 * HOUR_S;
const WEEK_S = 7 * DAY_S;

/**
 * Orders of one tenant in an hour: no tenant uses up what all of them have together.
 *
 * @see https://letsencrypt.org/docs/rate-limits/
 */
const TENANT_HOUR_MAX = 20;
/** Orders in an hour of all together; Let's Encrypt takes 300 in three hours. */
const ALL_HOUR_MAX = 90;
/** Orders for the same names in a day, and certificates for them in a week; Let's Encrypt issues 5. */
const NAMES_DAY_MAX = 10;
const NAMES_WEEK_MAX = 5;

interface Verdict {
  made: boolean;
  tenant_s: number | null;
  all_s: number | null;
  names_s: number | null;
  issued_s: number | null;
}

/** Counts orders in Postgres, one at a time, so that the counts are exact whoever orders. */
export function createOrderLimits(postgres: Postgres): OrderLimits {
  return {
    async begin({ certificateId, names, userId }) {
      const list = sql`${sql.param(names)}::text[]`;
      const [row] = await postgres.transaction<Verdict>(
        sql`select pg_advisory_xact_lock(hashtext('certificate_orders'))`,
        sql`
        with verdict as (
          select ${lifts(sql`o.user_id = ${userId}::bigint`, HOUR_S, TENANT_HOUR_MAX)} as tenant_s,
            ${lifts(sql`true`, HOUR_S, ALL_HOUR_MAX)} as all_s,
            ${lifts(sql`o.names = ${list}`, DAY_S, NAMES_DAY_MAX)} as names_s,
            ${lifts(sql`o.names = ${list} and o.issued_at is not null`, WEEK_S, NAMES_WEEK_MAX)} as issued_s
        ), made as (
          insert into certificate_orders (certificate_id, user_id, names)
          select ${certificateId}, ${userId}::bigint, ${list} from verdict
          where tenant_s is null and all_s is null and names_s is null and issued_s is null
          returning order_id
        )
        select exists (select 1 from made) as made, verdict.* from verdict`,
      );
      if (row === undefined || row.made) return null;
      const { tenant_s, all_s, names_s, issued_s } = row;
      const reasons: [string, number | null][] = [
        [`${NAMES_WEEK_MAX} certificates were issued for these names within a week, which is the limit`, issued_s],
        [`${NAMES_DAY_MAX} orders were begun for these names within a day, which is the limit`, names_s],
        [`${TENANT_HOUR_MAX} orders were begun for your domains within an hour, which is the limit`, tenant_s],
        [`${ALL_HOUR_MAX} orders were begun within an hour, which is the limit of the platform`, all_s],
      ];
      const reached = reasons.flatMap(([message, inS]) => (inS === null ? [] : [{ message, inS: inS + 1 }]));
      return reached.reduce((longest, one) => (one.inS > longest.inS ? one : longest));
    },
  };
}

/** Seconds until one of the orders `o` leaves the window, if the `max`-th newest of them is still in it; null: it is not. */
function lifts(condition: SQL, windowS: number, max: number): SQL {
  return sql`(select ceil(extract(epoch from o.ordered_at + make_interval(secs => ${windowS}) - now()))::int
    from certificate_orders o where ${condition} and o.ordered_at > now() - make_interval(secs => ${windowS})
    order by o.ordered_at desc offset ${max - 1} limit 1)`;
}
