import type { Plan } from '@tunnox/domain/api/users';
import { sql } from 'drizzle-orm';
import type { PlanRepository } from '../services/plan-service.ts';
import { noteOtherChange } from './binding-change-sql.ts';
import type { Postgres } from './postgres.ts';
import { insertAudit, insertClientChange } from './sql-parts.ts';

const LIMITS = sql.raw(`max_clients, max_mappings, max_active_mappings, max_connections_per_mapping,
  total_bandwidth_limit, monthly_traffic_limit`);

/** Plans are rows that operators change. */
export function createPlanRepository(postgres: Postgres): PlanRepository {
  return {
    list: () => postgres.query<Plan>(sql`select name, ${LIMITS} from plans order by max_mappings nulls last, name`),

    async find(name) {
      const [plan] = await postgres.query<Plan>(sql`select name, ${LIMITS} from plans where name = ${name}`);
      return plan ?? null;
    },

    async put(plan, audit) {
      const wanted = sql`select ${plan.name}::text as name, ${plan.max_clients}::bigint as max_clients,
        ${plan.max_mappings}::bigint as max_mappings, ${plan.max_active_mappings}::bigint as max_active_mappings,
        ${plan.max_connections_per_mapping}::bigint as max_connections_per_mapping,
        ${plan.total_bandwidth_limit}::bigint as total_bandwidth_limit,
        ${plan.monthly_traffic_limit}::bigint as monthly_traffic_limit`;
      const [row] = await postgres.query<{ outbox_ids: number[] }>(sql`
        with wanted as (${wanted}),
        put as (
          insert into plans as p (name, ${LIMITS}) select name, ${LIMITS} from wanted
          on conflict (name) do update set max_clients = excluded.max_clients, max_mappings = excluded.max_mappings,
            max_active_mappings = excluded.max_active_mappings,
            max_connections_per_mapping = excluded.max_connections_per_mapping,
            total_bandwidth_limit = excluded.total_bandwidth_limit,
            monthly_traffic_limit = excluded.monthly_traffic_limit
          where row(p.max_clients, p.max_mappings, p.max_active_mappings, p.max_connections_per_mapping,
            p.total_bandwidth_limit, p.monthly_traffic_limit) is distinct from row(excluded.max_clients,
            excluded.max_mappings, excluded.max_active_mappings, excluded.max_connections_per_mapping,
            excluded.total_bandwidth_limit, excluded.monthly_traffic_limit)
          returning p.name
        ), concerned as (
          update clients c set config_version = c.config_version + 1
          where exists (select 1 from put) and c.lifecycle <> 'claimed' and case when c.user_id is null
            then ${plan.name} = 'anonymous'
            else c.user_id in (select u.user_id from users u where u.plan = ${plan.name}) end
          returning c.client_id, c.config_version
        ), noted as (${noteOtherChange(sql`concerned`)}),
        told as (${insertClientChange('limits', sql`concerned`)}),
        audited as (${insertAudit(audit, 'plan', sql`wanted.name`, sql`null::bigint`, sql`wanted`)})
        select array(select id from told order by id) as outbox_ids`);
      return row?.outbox_ids ?? [];
    },
  };
}
