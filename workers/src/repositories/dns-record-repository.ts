import type { DnsRecord } from '@tunnox/domain/api/dns';
import { type SQL, sql } from 'drizzle-orm';
import type { DnsRecordFilter, DnsRecordOutcome, DnsRecordRepository } from '../services/dns-ports.ts';
import type { Postgres } from './postgres.ts';
import { array, insertAudit, moment, ownRows, selectPage } from './sql-parts.ts';

const SELECT = sql`select r.record_id, r.zone_id, r.type, r.name, r.value, r.ttl, r.proxied, r.status, r.desired_state,
  r.provider_record_id, r.retry_count, ${moment('r.next_retry_at')} as next_retry_at, r.last_error, r.last_error_code,
  r.owner_type, r.owner_id, r.automatic, ${moment('r.synced_at')} as synced_at, ${moment('r.created_at')} as created_at,
  ${moment('r.updated_at')} as updated_at`;
const FROM = sql`domain_dns_records r join dns_zones z using (zone_id)`;

/** What makes a row due now, with its tries counted from the beginning. */
export const DUE_NOW = sql.raw(`status = 'pending', next_retry_at = now(), retry_count = 0, last_error = null,
  last_error_code = null, updated_at = now(), row_version = r.row_version + 1`);

interface Made {
  record_id: number | null;
  existing: number | null;
  excluded: boolean;
  ttl: number | null;
  records: number;
}

/** Records as they shall be. */
export function createDnsRecordRepository(postgres: Postgres): DnsRecordRepository {
  return {
    async create(record, recordsMax, audit): Promise<DnsRecordOutcome> {
      const { zoneId, type, name, value, ttl, proxied, ownerType, ownerId } = record;
      // What stands at the name, and shall.
      const beside = sql`domain_dns_records b where b.zone_id = ${zoneId} and b.name = ${name}
        and b.desired_state = 'present' and not (b.type = ${type} and b.value = ${value})`;
      const [row] = await postgres.transaction<Made>(
        sql`select zone_id from dns_zones where zone_id = ${zoneId} for no key update`,
        sql`
        with zone as (
          select z.zone_id, z.user_id,
            (select b.record_id from domain_dns_records b where b.zone_id = z.zone_id and b.type = ${type}
              and b.name = ${name} and b.value = ${value} and b.desired_state = 'present') as existing,
            exists (select 1 from ${beside} and (b.type = 'CNAME' or ${type} = 'CNAME')) as excluded,
            (select b.ttl from ${beside} and b.type = ${type} and b.ttl <> ${ttl} limit 1) as ttl,
            (select count(*) from domain_dns_records b where b.zone_id = z.zone_id) as records
          from dns_zones z where z.zone_id = ${zoneId}
        ), made as (
          insert into domain_dns_records as r (zone_id, type, name, value, ttl, proxied, owner_type, owner_id)
          select zone_id, ${type}, ${name}, ${value}, ${ttl}::int, ${proxied}::boolean, ${ownerType}, ${ownerId}::text
          from zone where existing is null and not excluded and ttl is null and records < ${recordsMax}
          on conflict (zone_id, type, name, value) do update set desired_state = 'present', automatic = false, ttl = excluded.ttl,
            proxied = excluded.proxied, owner_type = excluded.owner_type, owner_id = excluded.owner_id, ${DUE_NOW}
          returning r.record_id
        ), audited as (${insertAudit(
          audit,
          'dns_record',
          sql`made.record_id::text`,
          sql`zone.user_id`,
          sql`made cross join zone`,
        )})
        select zone.existing, zone.excluded, zone.ttl, zone.records, made.record_id from zone left join made on true`,
      );
      if (row === undefined) return { outcome: 'no_zone' };
      if (row.record_id !== null) return { outcome: 'done', recordId: row.record_id };
      if (row.existing !== null) return { outcome: 'exists', recordId: row.existing };
      if (row.excluded) return { outcome: 'excluded' };
      return row.ttl === null ? { outcome: 'full' } : { outcome: 'other_ttl', ttl: row.ttl };
    },

    async find(recordId, tenant) {
      const [row] = await postgres.query<DnsRecord>(
        sql`${SELECT} from ${FROM} where r.record_id = ${recordId} and ${ownRows('z.user_id', tenant)}`,
      );
      return row ?? null;
    },

    list: (filter, tenant, page) =>
      selectPage<DnsRecord>(
        postgres,
        {
          select: SELECT,
          from: FROM,
          where: [ownRows('z.user_id', tenant), ...conditionsOf(filter)],
          id: sql`r.record_id`,
        },
        page,
      ),

    async markAbsent(ids, tenant, audit) {
      const rows = await postgres.query<{ zone_id: number }>(sql`
        with marked as (
          update domain_dns_records r set desired_state = 'absent', ${DUE_NOW}
          from dns_zones z
          where z.zone_id = r.zone_id and r.record_id = any(${array(ids, 'bigint')}) and r.desired_state = 'present'
            and not r.automatic and ${ownRows('z.user_id', tenant)}
          returning r.record_id, r.zone_id, r.type, r.name, r.value, z.user_id
        ), audited as (${insertAudit(
          audit,
          'dns_record',
          sql`marked.record_id::text`,
          sql`marked.user_id`,
          sql`marked`,
          sql`jsonb_build_object('zone_id', zone_id, 'type', type, 'name', name, 'value', value)`,
        )})
        select zone_id from marked`);
      return { affected: rows.length, zoneIds: [...new Set(rows.map((row) => row.zone_id))] };
    },

    async retry(recordId, audit) {
      const [row] = await postgres.query<{ zone_id: number }>(sql`
        with changed as (
          update domain_dns_records r set ${DUE_NOW} from dns_zones z
          where z.zone_id = r.zone_id and r.record_id = ${recordId} returning r.record_id, r.zone_id, z.user_id
        ), audited as (${insertAudit(audit, 'dns_record', sql`changed.record_id::text`, sql`changed.user_id`, sql`changed`)})
        select zone_id from changed`);
      return row?.zone_id ?? null;
    },
  };
}

function conditionsOf(filter: DnsRecordFilter): SQL[] {
  const { zone_id, status, desired_state, owner_type, owner_id, type, name } = filter;
  const wishes: [SQL, string | number | undefined][] = [
    [sql`r.zone_id`, zone_id],
    [sql`r.status`, status],
    [sql`r.desired_state`, desired_state],
    [sql`r.owner_type`, owner_type],
    [sql`r.owner_id`, owner_id],
    [sql`r.type`, type],
    [sql`r.name`, name?.toLowerCase()],
  ];
  return wishes.flatMap(([column, value]) => (value === undefined ? [] : [sql`${column} = ${value}`]));
}
