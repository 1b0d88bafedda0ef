import { conflictText } from '@tunnox/dns-plan/conflict-text';
import type { GuardVerdict } from '@tunnox/dns-plan/guard';
import type { PlanItem } from '@tunnox/dns-plan/plan';

/** What people should know of an item beside what it does; null: nothing. */
export function noteOf(item: PlanItem): string | null {
  switch (item.kind) {
    case 'create':
      return item.drift ? 'It was removed at the provider' : null;
    case 'update':
      switch (item.reason) {
        case 'changed':
          return 'TTL or proxied is not as desired';
        case 'drift':
          return 'It was changed at the provider';
        case 'adopt':
          return 'It was not made here, and is taken over';
      }
      break;
    case 'delete':
      return item.desired === null ? 'An orphan: it bears our mark, and nothing here wants it' : null;
    case 'adopt':
      return 'It is there already with our mark';
    case 'conflict':
      return conflictText(item.desired, item.reason, item.foreign);
    case 'keep':
    case 'gone':
      return null;
  }
  return null;
}

/** Why the guard holds a run back, and how it is let pass. @param planHash null: of another plan than the whole zone's. */
export function guardText({ touched, owned }: GuardVerdict, planHash: string | null): string {
  const confirm = planHash === null ? 'confirm=<plan_hash> of a reconcile with dry_run=true' : `confirm=${planHash}`;
  return `This would change or delete ${touched} of ${owned} records of the zone at once, and was held back. Look at the plan; if it is right, reconcile with ${confirm}`;
}
