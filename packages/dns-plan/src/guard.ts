import { type ActualRecord, type PlanItem, recordOf } from './plan.ts';

export interface GuardOptions {
  /** Share of a zone's own records that one run may change or delete, 0 to 1. */
  shareMax: number;
  /** So many are always allowed. */
  countFree: number;
}

export const DEFAULT_GUARD: GuardOptions = { shareMax: 0.3, countFree: 10 };

/** What the guard says of a plan. */
export interface GuardVerdict {
  refused: boolean;
  /** Records of ours that would be changed or deleted, without those that follow relays by themselves. */
  touched: number;
  /** Records of ours at the provider, without those likewise. */
  owned: number;
}

/**
 * Stops a run that would change or delete an unusual share of a zone: the fault is more likely here than there. Creating
 * is not counted: it takes nothing away.
 */
export function guardPlan(
  plan: readonly PlanItem[],
  actual: readonly ActualRecord[],
  options: GuardOptions = DEFAULT_GUARD,
): GuardVerdict {
  const exempt = new Set(
    plan.flatMap((item) => ('actual' in item && item.desired?.exempt === true ? [item.actual.id] : [])),
  );
  const owned = actual.filter((record) => record.owned && !exempt.has(record.id)).length;
  const touched = plan.filter(
    (item) => (item.kind === 'update' || item.kind === 'delete') && item.desired?.exempt !== true,
  ).length;
  return { refused: touched > options.countFree && touched > options.shareMax * owned, touched, owned };
}

/** Text that names what a plan would do: equal plans have equal texts. For a hash that confirms it. */
export function planText(plan: readonly PlanItem[]): string {
  return plan
    .flatMap((item) => {
      if (item.kind !== 'create' && item.kind !== 'update' && item.kind !== 'delete') return [];
      const { name, type, value } = recordOf(item);
      const wish = item.desired === null ? '' : `${item.desired.ttl} ${item.desired.proxied ?? ''}`;
      return [`${item.kind} ${'actual' in item ? item.actual.id : ''} ${name} ${type} ${value} ${wish}`];
    })
    .join('\n');
}
