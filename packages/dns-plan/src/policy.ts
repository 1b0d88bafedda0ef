import type { PlanItem } from './plan.ts';

/**
 * How far a zone follows its rows. `sync`: whole. `upsert_only`: nothing is deleted at the provider. `dry_run`: nothing
 * is changed there.
 */
export type ZonePolicy = 'sync' | 'upsert_only' | 'dry_run';

/** Splits a plan into what is carried out and what the policy holds back. */
export function applyPolicy(plan: readonly PlanItem[], policy: ZonePolicy): { allowed: PlanItem[]; held: PlanItem[] } {
  const isHeld = ({ kind }: PlanItem): boolean => {
    switch (policy) {
      case 'sync':
        return false;
      case 'upsert_only':
        return kind === 'delete';
      case 'dry_run':
        return kind === 'delete' || kind === 'create' || kind === 'update' || kind === 'adopt';
    }
  };
  return { allowed: plan.filter((item) => !isHeld(item)), held: plan.filter(isHeld) };
}
