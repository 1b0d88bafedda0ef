/** What is kept for a bounded time. Each method deals with `limit` rows at the most and says how many there were. */
export interface RetentionRepository {
  /** Adds hours that began before `before` up to days. */
  rollUpHours(before: Date, limit: number): Promise<number>;
  removeRollups(before: Date, limit: number): Promise<number>;
  removeConnections(before: Date, limit: number): Promise<number>;
  removeSessions(before: Date, limit: number): Promise<number>;
  removeAudit(before: Date, limit: number): Promise<number>;
  removeBandwidth(before: Date, limit: number): Promise<number>;
  removeDnsRuns(before: Date, limit: number): Promise<number>;
  /** Leaves the newest runs of each zone. */
  trimDnsRuns(keptPerZone: number, limit: number): Promise<number>;
}

const DAY_MS = 86_400_000;

/** Traffic by hours; older hours are added up to days. */
const HOURS_KEPT_DAYS = 35;
/** Traffic by days. */
const DAYS_KEPT_DAYS = 400;
/** A visitor's address is personal data: no longer than it helps to find a fault. */
const CONNECTIONS_KEPT_DAYS = 30;
const SESSIONS_KEPT_DAYS = 30;
/** Who needs it for longer exports it. */
const AUDIT_KEPT_DAYS = 400;
const BANDWIDTH_KEPT_DAYS = 1;
/** What was planned and done in the DNS, and so many runs of a zone at the most: a failing one has many. */
const DNS_RUNS_KEPT_DAYS = 30;
const DNS_RUNS_KEPT = 500;

/** A batch is a short transaction; what one sweep does not finish, the next goes on with. */
const BATCH = 5000;
const ROUNDS_MAX = 20;

/** The first hour that is still there as such: whole days are added up. */
export function oldestHour(nowMs: number): Date {
  return new Date(Math.floor(nowMs / DAY_MS - HOURS_KEPT_DAYS) * DAY_MS);
}

/** The first day that is still there. */
export function oldestDay(nowMs: number): Date {
  return new Date(Math.floor(nowMs / DAY_MS - DAYS_KEPT_DAYS) * DAY_MS);
}

/** Adds old hours up, and removes what has been kept for its time. */
export async function applyRetention(rows: RetentionRepository, nowMs: number): Promise<void> {
  const ago = (days: number) => new Date(nowMs - days * DAY_MS);
  await inBatches((limit) => rows.rollUpHours(oldestHour(nowMs), limit));
  await inBatches((limit) => rows.removeRollups(oldestDay(nowMs), limit));
  await inBatches((limit) => rows.removeConnections(ago(CONNECTIONS_KEPT_DAYS), limit));
  await inBatches((limit) => rows.removeSessions(ago(SESSIONS_KEPT_DAYS), limit));
  await inBatches((limit) => rows.removeAudit(ago(AUDIT_KEPT_DAYS), limit));
  await inBatches((limit) => rows.removeBandwidth(ago(BANDWIDTH_KEPT_DAYS), limit));
  await inBatches((limit) => rows.removeDnsRuns(ago(DNS_RUNS_KEPT_DAYS), limit));
  await inBatches((limit) => rows.trimDnsRuns(DNS_RUNS_KEPT, limit));
}

async function inBatches(work: (limit: number) => Promise<number>): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX; round += 1) if ((await work(BATCH)) < BATCH) return;
}
