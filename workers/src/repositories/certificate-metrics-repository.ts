import { sql } from 'drizzle-orm';
import type { MetricsRepository } from '../services/metrics-service.ts';
import type { Postgres } from './postgres.ts';

/** More are no help to who looks at metrics. */
const ENDING_MAX = 50;

interface Overview {
  oldest_due_s: number;
  orders_hour: number;
  blocked_s: number;
}

/** Certificates and their orders, of all tenants. */
export function createCertificateMetricsRepository(postgres: Postgres): MetricsRepository {
  return {
    async collect() {
      const [states, ending, [overview]] = await Promise.all([
        postgres.query<{ state: string; count: number }>(sql`
          select state, count(*) as count from certificates where removed_at is null group by 1 order by 1`),
        postgres.query<{ name: string; days: number }>(sql`
          select names[1] as name, (extract(epoch from not_after - now()) / 86400)::float8 as days
          from certificates where chain is not null order by not_after limit ${ENDING_MAX}`),
        postgres.query<Overview>(sql`
          select greatest(0, coalesce(extract(epoch from now() - min(greatest(c.next_attempt_at, c.lease_until))), 0))::float8
              as oldest_due_s,
            (select count(*) from certificate_orders where ordered_at > now() - interval '1 hour') as orders_hour,
            (select greatest(0, coalesce(extract(epoch from max(blocked_until) - now()), 0)) from acme_accounts)::float8
              as blocked_s
          from certificates c where c.next_attempt_at is not null`),
      ]);
      const one = (value: number | undefined) => (value === undefined ? [] : [{ labels: {}, value }]);
      return [
        {
          ...{ name: 'tunnox_certificates', type: 'gauge', help: 'Certificates by state.' },
          samples: states.map(({ state, count }) => ({ labels: { state }, value: count })),
        },
        {
          ...{ name: 'tunnox_certificate_days_left', type: 'gauge' },
          help: 'Days until a certificate ends: the fifty that end first.',
          samples: ending.map(({ name, days }) => ({ labels: { name }, value: days })),
        },
        {
          ...{ name: 'tunnox_certificate_steps_late_seconds', type: 'gauge' },
          help: 'For how long the oldest step that is due has waited.',
          samples: one(overview?.oldest_due_s),
        },
        {
          ...{ name: 'tunnox_certificate_orders_last_hour', type: 'gauge' },
          help: 'Orders that were begun within the last hour.',
          samples: one(overview?.orders_hour),
        },
        {
          ...{ name: 'tunnox_certificate_authority_blocked_seconds', type: 'gauge' },
          help: 'For how long a certificate authority still wants no orders.',
          samples: one(overview?.blocked_s),
        },
      ];
    },
  };
}
