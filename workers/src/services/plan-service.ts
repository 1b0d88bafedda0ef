import type { Plan, PutPlan } from '@tunnox/domain/api/users';
import { auditOf, type AuditEntry } from './audit.ts';
import type { ChangeTeller } from './change-teller.ts';
import { type Caller, requireOperator } from './principal.ts';

export interface PlanRepository {
  list(): Promise<Plan[]>;
  find(name: string): Promise<Plan | null>;
  /** Makes or replaces a plan. @returns Outbox rows: a limit that is another now concerns every client of its users. */
  put(plan: Plan, audit: AuditEntry): Promise<number[]>;
}

export interface PlanServiceDeps {
  plans: PlanRepository;
  teller: Pick<ChangeTeller, 'onItsWay'>;
}

/** So many clients are told by the call itself; the sweep, which runs every minute, tells the others. */
const TOLD_AT_ONCE = 300;

/** What users may have, by plan. */
export class PlanService {
  readonly #deps: PlanServiceDeps;

  constructor(deps: PlanServiceDeps) {
    this.#deps = deps;
  }

  async list(): Promise<{ plans: Plan[] }> {
    return { plans: await this.#deps.plans.list() };
  }

  async put(caller: Caller, name: string, limits: PutPlan): Promise<Plan> {
    requireOperator(caller);
    const before = await this.#deps.plans.find(name);
    const plan = { name, ...limits };
    const audit = auditOf(caller, before === null ? 'plan.create' : 'plan.update', { before, after: plan });
    const outboxIds = await this.#deps.plans.put(plan, audit);
    await this.#deps.teller.onItsWay(outboxIds.slice(0, TOLD_AT_ONCE));
    return plan;
  }
}
