import { type SQL, sql } from 'drizzle-orm';
import { OWNER_RULES } from '../services/owner-rules.ts';
import { changeRecords } from './owner-records-sql.ts';
import { array } from './sql-parts.ts';

export interface RelayRecordOptions {
  baseDomains: readonly string[];
  leaseMs: number;
}

/** First statement of a transaction with `followRelays()`: of two deaths at the same moment each sees the other. */
export const LOCK_RELAY_RECORDS = sql`select pg_advisory_xact_lock(hashtext('relay records'))`;

/**
 * Relays that are offline without having said so, and so many of them within one lease that the fault is more likely
 * here: what is known of them stays. Rows of `node_id`.
 */
export function doubtedRelays(leaseMs: number): SQL {
  const lease = sql`make_interval(secs => ${leaseMs / 1000})`;
  const lost = (partition: string) => sql`count(*) over (${sql.raw(partition)} order by lost_at
    range between ${lease} preceding and ${lease} following)`;
  return sql`
    select l.node_id from (
      select node_id, lost_at, ${lost('partition by relay_group')} as group_lost, ${lost('partition by region')} as region_lost,
        ${lost('')} as all_lost, g.group_living, r.region_living,
        (select count(*) from relay_nodes where status = 'online') as all_living
      from relay_nodes
        left join (select relay_group, count(*) filter (where status = 'online') as group_living
          from relay_nodes group by relay_group) g using (relay_group)
        left join (select region, count(*) filter (where status = 'online') as region_living
          from relay_nodes group by region) r using (region)
      where status = 'offline' and lost_at is not null
    ) l
    where l.lost_at > now() - make_interval(secs => ${OWNER_RULES.doubtS}) and (
      (group_lost + group_living >= 3 and group_lost > group_living)
      or (region_lost + region_living >= 3 and region_lost > region_living)
      or (all_lost + all_living >= 4 and all_lost > all_living)
      or (all_lost >= 2 and all_living = 0))`;
}

/**
 * One statement that makes the records which follow relays what they shall be: `<group>.relay.<base>`,
 * `<region>.relay.<base>`, base domains themselves where a zone says so, and custom domains at the apex of their
 * tenant's zone. Its rows are the zones whose records have changed.
 *
 * A relay that is `starting` keeps what it has and gets nothing new: a restart within its lease changes nothing.
 */
export function followRelays({ baseDomains, leaseMs }: RelayRecordOptions): SQL {
  const { relayLabel, relayTtlS, comebackS, defaultGroup } = OWNER_RULES;
  const isLabel = sql.raw(`label ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'`);
  return sql`
    with bases as (select unnest(${array(baseDomains, 'text')}) as base),
    doubted as (${doubtedRelays(leaseMs)}),
    seen as (
      select r.node_id, lower(r.relay_group) as relay_group, lower(r.region) as region, a.type, a.value,
        case when r.status = 'online' then 'in' when d.node_id is not null then 'in'
          when r.status = 'starting' then 'as_it_is' else 'out' end as place,
        r.status = 'online' as here,
        -- One that comes and goes is not let in again at once.
        case when r.status = 'online' then
          greatest(0, extract(epoch from r.left_at + make_interval(secs => ${comebackS}) - now()))::float8 else 0 end as wait_s
      from relay_nodes r left join doubted d using (node_id)
        cross join lateral (values ('A', r.public_ipv4), ('AAAA', r.public_ipv6)) a (type, value)
      where a.value is not null
    ), members as (
      select 'node_group' as owner_type, relay_group as label, seen.* from seen
      union all
      -- A name that is a group's is only the group's.
      select 'line_group', region, seen.* from seen where region not in (select lower(relay_group) from relay_nodes)
    ), steady as (
      select distinct owner_type, label from members where here and wait_s = 0
    ), addresses as (
      select m.owner_type, m.label, m.type, m.value, bool_or(m.place = 'in') as present,
        -- Nobody waits to be the only one.
        case when bool_or(s.label is not null) then min(m.wait_s) filter (where m.place = 'in') else 0 end as wait_s
      from members m left join steady s using (owner_type, label)
      where m.place <> 'out'
      group by m.owner_type, m.label, m.type, m.value
    ), ours as materialized (
      select z.zone_id, z.domain, z.website_group from dns_zones z where z.user_id is null and z.owner_records
    ), names as (
      select l.owner_type, l.label, l.label || ${`.${relayLabel}.`} || b.base as name
      from (select distinct owner_type, label from addresses) l cross join bases b where ${isLabel}
    ), named as (
      select a.owner_type, a.label as owner_id, n.name, a.type, a.value, a.present, a.wait_s, z.zone_id
      from names n cross join lateral (${zoneOf(sql`n.name`)}) z join addresses a using (owner_type, label)
    ), sites as (
      select b.base, z.zone_id, z.website_group from bases b cross join lateral (${zoneOf(sql`b.base`)}) z
      where z.website_group is not null
    ), apexes as (
      -- Custom domains that are the zone itself, which cannot be a CNAME.
      select d.id::text as owner_id, d.full_domain as name, z.zone_id
      from dns_zones z join http_domain_mappings d on d.user_id = z.user_id and d.full_domain = z.domain
      where d.base_domain is null and z.owner_records
    ), site_group as (
      select coalesce((select website_group from sites order by base = ${baseDomains[0] ?? ''} desc, base limit 1), ${defaultGroup}) as label
    ), wished as (
      select zone_id, type, name, value, ${relayTtlS}::int as ttl, owner_type, owner_id, present, wait_s from named
      union all
      select s.zone_id, a.type, s.base, a.value, ${relayTtlS}::int, 'website_domain', s.base, a.present, a.wait_s
      from sites s join addresses a on a.owner_type = 'node_group' and a.label = s.website_group
      union all
      select s.zone_id, 'CNAME', '*.' || s.base, s.website_group || ${`.${relayLabel}.`} || s.base, ${relayTtlS}::int,
        'website_domain', s.base, true, 0
      from sites s
      union all
      select x.zone_id, a.type, x.name, a.value, ${relayTtlS}::int, 'website_domain', x.owner_id, a.present, a.wait_s
      from apexes x cross join site_group g join addresses a on a.owner_type = 'node_group' and a.label = g.label
    ),
    ${changeRecords(sql.raw(`(r.type in ('A', 'AAAA') or r.name like '*.%')`))}`;
}

/** The operators' zone in which a name lies, the innermost one. */
function zoneOf(name: SQL): SQL {
  return sql`
    select z.zone_id, z.website_group from ours z
    where z.domain = ${name} or ${name} like '%.' || z.domain
    order by length(z.domain) desc limit 1`;
}
