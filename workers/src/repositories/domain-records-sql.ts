import { PROOF_LABEL } from '@tunnox/domain/name-rules';
import { type SQL, sql } from 'drizzle-orm';
import { OWNER_RULES } from '../services/owner-rules.ts';
import { TXT_PREFIX } from '../services/domain-proof.ts';
import { changeRecords } from './owner-records-sql.ts';

/**
 * One statement that makes what custom domains need in zones that their tenants have connected: the alias that leads to
 * the relays (at the apex of a zone the addresses do, see `followRelays()`), and the proof. Its rows are the zones whose
 * records have changed.
 *
 * @param userId Whose; null: everybody's.
 */
export function followDomains(userId: number | null, baseDomain: string): SQL {
  const { targetLabel, domainTtlS } = OWNER_RULES;
  const whose = (column: string) => (userId === null ? sql`true` : sql`${sql.raw(column)} = ${userId}`);
  return sql`
    with sites as (
      select d.id::text as owner_id, d.full_domain, d.proof_token, z.zone_id, z.domain
      from http_domain_mappings d cross join lateral (
        select z.zone_id, z.domain from dns_zones z
        -- As the index has it.
        where coalesce(z.user_id, 0) = d.user_id and z.owner_records
          and (z.domain = d.full_domain or d.full_domain like '%.' || z.domain)
        order by length(z.domain) desc limit 1
      ) z
      where d.base_domain is null and ${whose('d.user_id')}
    ), wished as (
      select zone_id, 'CNAME' as type, full_domain as name, ${`${targetLabel}.${baseDomain}`} as value,
        ${domainTtlS}::int as ttl, 'website_domain' as owner_type, owner_id, true as present, 0::float8 as wait_s
      from sites where full_domain <> domain
      union all
      select zone_id, 'TXT', ${`${PROOF_LABEL}.`} || full_domain, ${TXT_PREFIX} || proof_token, ${domainTtlS}::int,
        'website_domain', owner_id, true, 0
      from sites where proof_token is not null
    ),
    ${changeRecords(sql`(r.owner_type = 'website_domain' and r.type in ('CNAME', 'TXT') and r.name not like '*.%'
      and exists (select from dns_zones z where z.zone_id = r.zone_id and z.user_id is not null and ${whose('z.user_id')}))`)}`;
}

/**
 * An update that marks for deletion what belongs to domains that end, whoever has made it.
 *
 * @param ended Rows with `id` and `user_id`.
 */
export function endDomainRecords(ended: SQL): SQL {
  return sql`
    update domain_dns_records r set desired_state = 'absent', status = 'pending', next_retry_at = now(), retry_count = 0,
      last_error = null, last_error_code = null, updated_at = now(), row_version = r.row_version + 1
    from ${ended} e join dns_zones z on z.user_id is null or z.user_id = e.user_id
    where r.zone_id = z.zone_id and r.owner_type = 'website_domain' and r.owner_id = e.id::text
      and r.desired_state = 'present'`;
}
