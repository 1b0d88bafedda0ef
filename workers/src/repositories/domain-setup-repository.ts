import { sql } from 'drizzle-orm';
import type { DomainSetupRepository, SetupDomain } from '../services/domain-setup-ports.ts';
import type { Postgres } from './postgres.ts';
import { json } from './sql-parts.ts';

/** A domain that leads here is looked at this often, … */
const HERE_S = 6 * 3600;
/** … another one at ever longer intervals, from a minute on. */
const OTHER_MIN_S = 60;

/** What is seen of custom domains in the DNS. */
export function createDomainSetupRepository(postgres: Postgres): DomainSetupRepository {
  return {
    claimDue: (limit, leaseS) =>
      postgres.query<SetupDomain>(sql`
        with due as (
          select id from http_domain_mappings
          where base_domain is null and (setup_due_at is null or setup_due_at <= now())
          order by setup_due_at nulls first limit ${limit} for update skip locked
        )
        update http_domain_mappings d set setup_due_at = now() + make_interval(secs => ${leaseS}) from due
        where d.id = due.id
        returning d.id as "domainId", d.full_domain as "fullDomain"`),

    async record(looks) {
      if (looks.length === 0) return;
      await postgres.query(sql`
        update http_domain_mappings d set setup = l.seen,
          setup_due_at = now() + make_interval(secs => case when l.seen->'dns'->>'finding' = 'here' then ${HERE_S}
            else greatest(${OTHER_MIN_S}, least(${HERE_S}, extract(epoch from now() - d.created_at) / 4)) end)
        from jsonb_to_recordset(${json(looks)}) as l("domainId" bigint, seen jsonb)
        where d.id = l."domainId"`);
    },

    async relayAddresses() {
      const rows = await postgres.query<{ address: string }>(sql`
        select distinct a.address from relay_nodes n
          cross join lateral (values (n.public_ipv4), (n.public_ipv6)) a (address)
        where n.status <> 'offline' and a.address is not null`);
      return rows.map(({ address }) => address);
    },
  };
}
