import { type SQL, sql } from 'drizzle-orm';

/** Relays report every minute; who is in no report for longer than this moves nothing. */
const FRESH_S = 90;

/**
 * Bytes a second that a user's tunnels move in the whole cluster: what each relay counted in the interval of its last
 * report. It follows the truth by a report, a minute at most; after the last byte it falls to 0 within `FRESH_S`.
 *
 * @param userId Expression.
 */
export function bandwidthOf(userId: SQL): SQL {
  return sql`coalesce((
    select sum(b.bytes * 1000.0 / b.interval_ms) from user_bandwidth b
    where b.user_id = ${userId} and b.reported_at > now() - make_interval(secs => ${FRESH_S})), 0)::double precision`;
}
