import type { PlanItem } from '@tunnox/dns-plan/plan';
import type { ZoneRow } from './zone-run-ports.ts';

/**
 * `due`: the rows that are due; no call without any. `full`: the whole zone, for drift and orphans. `asked`: as `full`,
 * and rows that wait for their next try are tried now. `dry_run`: the plan alone.
 */
export type RunKind = 'due' | 'full' | 'asked' | 'dry_run';

/** Asking for a name costs a call, and listing so many records costs one. */
const RECORDS_PER_CALL = 1000;

/** The part of a plan that a run of this kind is for: what is not due is left alone. */
export function inScope(plan: readonly PlanItem[], rows: readonly ZoneRow[], kind: RunKind): PlanItem[] {
  if (kind === 'asked' || kind === 'dry_run') return [...plan];
  const byId = new Map(rows.map((row) => [row.id, row]));
  const dueNames = new Set(rows.flatMap(({ name, due }) => (due === 'now' ? [name] : [])));
  return plan.filter((item) => {
    // An orphan at the name of what is due may stand in its way; others are for a pass over the whole zone.
    if (item.kind === 'delete' && item.desired === null) return kind === 'full' || dueNames.has(item.actual.name);
    const row = item.desired === null ? undefined : byId.get(item.desired.id);
    if (row === undefined) return false;
    // What waits for its next try, or for a person, waits.
    return row.due === 'now' || (kind === 'full' && row.due === 'never' && row.retryCount === 0);
  });
}

/** Names whose records are enough to know for this run; null: the whole zone is cheaper, or needed. */
export function namesToFind(rows: readonly ZoneRow[], kind: RunKind): string[] | null {
  if (kind !== 'due') return null;
  const names = new Set(rows.flatMap(({ name, due }) => (due === 'now' ? [name] : [])));
  return names.size * RECORDS_PER_CALL <= rows.length ? [...names] : null;
}
