import { type PlanItem, recordOf } from '@tunnox/dns-plan/plan';
import type { DnsPlanItem } from '@tunnox/domain/api/dns';

/** Items of a plan that are kept for people. */
const SHOWN_MAX = 1000;

/** What a run has planned and done, as people get to see it. */
export class RunReport {
  readonly plan: DnsPlanItem[] = [];
  /** Items by action, and by outcome. */
  readonly counts: Record<string, number> = {};

  add(item: PlanItem, outcome: DnsPlanItem['outcome'], note: string | null): void {
    const action = item.kind;
    this.#count(action);
    // What is as it shall be is only counted.
    if (action === 'keep') return;
    this.#count(outcome);
    if (this.plan.length >= SHOWN_MAX) return;
    const { name, type, value } = recordOf(item);
    this.plan.push({ action, record_id: item.desired?.id ?? null, type, name, value, outcome, note });
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }
}
