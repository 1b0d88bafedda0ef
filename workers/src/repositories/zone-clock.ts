import { type SQL, sql } from 'drizzle-orm';

/** The reconciler's clock is the database's: control planes whose own clocks differ agree about leases. */
export interface ReconcilerClock {
  /** Seconds by which it is ahead: for tests of long times. */
  aheadS?: () => number;
}

export function reconcilerNow({ aheadS }: ReconcilerClock): SQL {
  return aheadS === undefined ? sql`now()` : sql`(now() + make_interval(secs => ${aheadS()}))`;
}

/** The fence is still the zone's: part of every statement by which a run writes. */
export function isHeld(clock: ReconcilerClock, zoneId: number, fence: number): SQL {
  return sql`exists (select 1 from dns_zones z where z.zone_id = ${zoneId} and z.fence = ${fence}
    and z.lease_until > ${reconcilerNow(clock)})`;
}
