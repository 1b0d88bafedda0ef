import type { DnsRun } from '@tunnox/domain/api/dns';
import { type SQL, sql } from 'drizzle-orm';
import type { DnsZoneRepository, DnsZoneRow } from '../services/dns-ports.ts';
import { type Postgres, PostgresError, UNIQUE_VIOLATION } from './postgres.ts';
import { assignments, insertAudit, moment, ownRows, selectPage } from './sql-parts.ts';
import { transactionIf } from './transaction-if.ts';

const SELECT = sql`select z.zone_id, z.user_id, z.domain, z.credential_id, c.provider, z.provider_zone_id, z.tag,
  z.policy, z.owner_records, z.website_group, z.guard_share::float8 as guard_share, z.status, z.last_error,
  (select jsonb_build_object(
      'pending', count(*) filter (where r.status = 'pending' and r.desired_state = 'present'),
      'running', count(*) filter (where r.status = 'running' and r.desired_state = 'present'),
      'active', count(*) filter (where r.status = 'active' and r.desired_state = 'present'),
      'error', count(*) filter (where r.status = 'error' and r.desired_state = 'present'),
      'deleting', count(*) filter (where r.desired_state = 'absent'))
    from domain_dns_records r where r.zone_id = z.zone_id) as records,
  ${moment('z.full_pass_at')} as full_pass_at, ${moment('z.created_at')} as created_at,
  ${moment('z.updated_at')} as updated_at, z.row_version as version`;
const FROM = sql`dns_zones z join provider_credentials c using (credential_id)`;

const SELECT_RUN = sql`select n.run_id as id, n.run_id, n.zone_id, n.kind, n.status, n.plan, n.counts, n.plan_hash,
  n.provider_calls, n.error, ${moment('n.started_at')} as started_at, ${moment('n.finished_at')} as finished_at
  from dns_runs n`;

/** Zones, and what runs over them have planned and done. */
export function createDnsZoneRepository(postgres: Postgres): DnsZoneRepository {
  return {
    async create({ userId, domain, credentialId, providerZoneId, tag, policy, ownerRecords, websiteGroup }, audit) {
      try {
        const [row] = await postgres.query<{ zone_id: number }>(sql`
          with made as (
            insert into dns_zones (user_id, domain, credential_id, provider_zone_id, tag, policy, owner_records, website_group,
              status)
            values (${userId}, ${domain}, ${credentialId}, ${providerZoneId}, ${tag}, ${policy}, ${ownerRecords},
              ${websiteGroup}, 'active')
            returning zone_id, user_id
          ), audited as (${auditZone(audit, 'made')})
          select zone_id from made`);
        return row?.zone_id ?? null;
      } catch (error) {
        if (error instanceof PostgresError && error.sqlState === UNIQUE_VIOLATION) return null;
        throw error;
      }
    },

    async find(zoneId, tenant) {
      const [row] = await postgres.query<DnsZoneRow>(
        sql`${SELECT} from ${FROM} where z.zone_id = ${zoneId} and ${ownRows('z.user_id', tenant)}`,
      );
      return row ?? null;
    },

    list: (tenant, page) =>
      selectPage<DnsZoneRow>(
        postgres,
        { select: SELECT, from: FROM, where: [ownRows('z.user_id', tenant)], id: sql`z.zone_id` },
        page,
      ),

    async update(
      zoneId,
      { credentialId, providerZoneId, policy, guardShare, ownerRecords, websiteGroup },
      audit,
      ifVersion,
    ) {
      // Another provider has none of the records, and what waits for a person may work there.
      const isMoved = sql.raw(String(credentialId !== undefined));
      const set = assignments({
        credential_id: credentialId === undefined ? undefined : sql`${credentialId}`,
        provider_zone_id: providerZoneId === undefined ? undefined : sql`${providerZoneId}`,
        policy: policy === undefined ? undefined : sql`${policy}`,
        guard_share: guardShare === undefined ? undefined : sql`${guardShare}::real`,
        owner_records: ownerRecords === undefined ? undefined : sql`${ownerRecords}`,
        website_group: websiteGroup === undefined ? undefined : sql`${websiteGroup}::text`,
        // What was held back, or failed at the old provider, is looked at anew.
        full_pass_at: sql`null`,
      });
      const rows = await transactionIf(
        postgres,
        lockZone(zoneId),
        { table: 'dns_zones', id: zoneId, ifVersion },
        sql`
        with changed as (
          update dns_zones set ${sql.join([...set, sql`row_version = row_version + 1`, sql`updated_at = now()`], sql`, `)}
          where zone_id = ${zoneId} returning zone_id, user_id
        ), due as (
          update domain_dns_records r set next_retry_at = now(), retry_count = 0,
            provider_record_id = case when ${isMoved} then null else r.provider_record_id end
          from changed where r.zone_id = changed.zone_id
            and (r.next_retry_at is not null or ${isMoved} and (r.status = 'error' or r.provider_record_id is not null))
        ), audited as (${auditZone(audit, 'changed')})
        select zone_id from changed`,
      );
      return rows.length > 0;
    },

    async remove(zoneId, leaveRecords, audit, ifVersion) {
      const object = { table: 'dns_zones', id: zoneId, ifVersion } as const;
      const forget = sql`delete from domain_dns_records where zone_id = ${zoneId} and ${leaveRecords}`;
      const rows = await transactionIf<{ gone: boolean; there: boolean }>(
        postgres,
        lockZone(zoneId),
        object,
        forget,
        sql`
        with gone as (
          delete from dns_zones z where z.zone_id = ${zoneId}
            and not exists (select 1 from domain_dns_records r where r.zone_id = z.zone_id)
          returning zone_id, user_id
        ), audited as (${auditZone(audit, 'gone')})
        select exists (select 1 from gone) as gone, exists (select 1 from dns_zones z where z.zone_id = ${zoneId}) as there`,
      );
      const [row] = rows;
      if (row?.gone === true) return 'done';
      return row?.there === true ? 'in_use' : 'gone';
    },

    async noteOrder(zoneId, audit) {
      await postgres.query(
        auditZone(audit, `(select zone_id, user_id from dns_zones where zone_id = ${zoneId}) ordered`),
      );
    },

    async runs(zoneId, page) {
      const before = page.before === null ? sql`true` : sql`n.run_id < ${page.before}`;
      const [rows, counts] = await Promise.all([
        postgres.query<DnsRun & { id: number }>(sql`${SELECT_RUN} where n.zone_id = ${zoneId} and ${before}
          order by n.run_id desc limit ${page.limit} offset ${page.offset}`),
        postgres.query<{ total: number }>(sql`select count(*) as total from dns_runs n where n.zone_id = ${zoneId}`),
      ]);
      return { rows, total: counts[0]?.total ?? 0 };
    },

    async run(runId) {
      const [row] = await postgres.query<DnsRun & { id?: number }>(sql`${SELECT_RUN} where n.run_id = ${runId}`);
      if (row === undefined) return null;
      const { id: _, ...run } = row;
      return run;
    },
  };
}

function lockZone(zoneId: number): SQL {
  return sql`select zone_id from dns_zones where zone_id = ${zoneId} for update`;
}

/** @param from Rows with `zone_id` and `user_id`. */
function auditZone(audit: Parameters<typeof insertAudit>[0], from: string): SQL {
  return insertAudit(audit, 'dns_zone', sql`zone_id::text`, sql`user_id`, sql.raw(from));
}
