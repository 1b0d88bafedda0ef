import { type Plan, planSchema, plansSchema, type PutPlan } from '@tunnox/domain/api/users';
import { type CallOptions, type ChangeOptions, Resource, V1 } from '../resource.ts';

/** What plans allow. */
export class Plans extends Resource {
  async list(options?: CallOptions): Promise<Plan[]> {
    return (await this.read(`${V1}/plans`, plansSchema, {}, options)).plans;
  }

  /** Makes the plan, or replaces it for all its users. Operators. */
  set(name: string, plan: PutPlan, options?: ChangeOptions): Promise<Plan> {
    return this.put(`${V1}/plans/${encodeURIComponent(name)}`, plan, planSchema, options);
  }
}
