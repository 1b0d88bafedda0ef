import { sql } from 'drizzle-orm';
import type { MetricsRepository } from '../services/metrics-service.ts';
import type { Postgres } from './postgres.ts';
import { doubtedRelays } from './relay-records-sql.ts';

/** What is known of relays, as far as their DNS records go. */
export function createRelayMetricsRepository(postgres: Postgres, options: { leaseMs: number }): MetricsRepository {
  return {
    async collect() {
      const [row] = await postgres.query<{ doubted: number; nameless: number }>(sql`
        select (select count(*) from (${doubtedRelays(options.leaseMs)}) d) as doubted,
          (select count(*) from relay_nodes where status = 'online' and public_ipv4 is null and public_ipv6 is null)
            as nameless`);
      return [
        {
          name: 'tunnox_dns_doubted_relays',
          type: 'gauge',
          help: 'Relays that seem dead with most others at once: their records stay for now.',
          samples: [{ labels: {}, value: row?.doubted ?? 0 }],
        },
        {
          name: 'tunnox_dns_relays_without_address',
          type: 'gauge',
          help: 'Relays that are online and in no record: nobody knows their address.',
          samples: [{ labels: {}, value: row?.nameless ?? 0 }],
        },
      ];
    },
  };
}
