import { type SQL, sql } from 'drizzle-orm';
import type { ChallengeRecord, ChallengeRepository } from '../certificates/challenge-ports.ts';
import type { AuditEntry } from '../services/audit.ts';
import type { Postgres } from './postgres.ts';
import { array, insertAudit } from './sql-parts.ts';

/** Authorities look once; the record is gone minutes later. */
const TTL_S = 60;
/** An order ends before that. */
const TOKEN_S = 3600;
/** A record whose order is over for so long was forgotten by a Worker that died. */
const LOST_S = 600;
const ADDRESSES_MAX = 1000;

/** Answers to challenges: TXT records among those of our zones, and what relays answer. */
export function createChallengeRepository(postgres: Postgres): ChallengeRepository {
  return {
    async zoneOf(name, userId) {
      const labels = name.split('.');
      const suffixes = labels.map((_, index) => labels.slice(index).join('.'));
      const [row] = await postgres.query<{ zoneId: number; domain: string }>(sql`
        select z.zone_id as "zoneId", z.domain from dns_zones z
        where z.domain = any(${array(suffixes, 'text')}) and (z.user_id is null or z.user_id = ${userId}::bigint)
          and z.policy <> 'dry_run'
        order by length(z.domain) desc, z.user_id nulls last limit 1`);
      return row ?? null;
    },

    async putRecord({ zoneId, name, value, certificateId }) {
      const beside = sql`domain_dns_records b where b.zone_id = ${zoneId} and b.name = ${name} and b.desired_state = 'present'`;
      const [row] = await postgres.transaction<{ excluded: boolean; made: boolean }>(
        sql`select zone_id from dns_zones where zone_id = ${zoneId} for no key update`,
        sql`
        with zone as (
          select z.zone_id, z.user_id, exists (select 1 from ${beside} and b.type = 'CNAME') as excluded,
            -- A set of records has one TTL.
            coalesce((select b.ttl from ${beside} and b.type = 'TXT' limit 1), ${TTL_S}) as ttl
          from dns_zones z where z.zone_id = ${zoneId}
        ), made as (
          insert into domain_dns_records as r (zone_id, type, name, value, ttl, owner_type, owner_id, automatic)
          select zone_id, 'TXT', ${name}, ${value}, ttl, 'acme_challenge', ${String(certificateId)}, true
          from zone where not excluded
          on conflict (zone_id, type, name, value) do update set desired_state = 'present', ttl = excluded.ttl,
            owner_type = excluded.owner_type, owner_id = excluded.owner_id, automatic = true, ${DUE}
          where r.desired_state = 'absent'
          returning r.record_id
        ), audited as (${insertAudit(
          bySystem('dns_record.create', {
            type: 'TXT',
            name,
            owner_type: 'acme_challenge',
            owner_id: String(certificateId),
          }),
          'dns_record',
          sql`made.record_id::text`,
          sql`zone.user_id`,
          sql`made cross join zone`,
        )})
        select zone.excluded, exists (select 1 from made) as made from zone`,
      );
      if (row === undefined) return 'no_zone';
      if (row.excluded) return 'excluded';
      return row.made ? 'made' : 'there';
    },

    async record({ zoneId, name, value }) {
      const [row] = await postgres.query<ChallengeRecord>(sql`
        select r.status, r.last_error as "lastError",
          case when r.status = 'active' then extract(epoch from now() - r.updated_at)::float8 end as "activeS"
        from domain_dns_records r
        where r.zone_id = ${zoneId} and r.type = 'TXT' and r.name = ${name} and r.value = ${value}
          and r.desired_state = 'present'`);
      return row ?? null;
    },

    async putToken({ certificateId, token, host, keyAuthorization }) {
      await postgres.query(sql`
        insert into acme_http_tokens (token, certificate_id, key_authorization, host, expires_at)
        values (${token}, ${certificateId}, ${keyAuthorization}, ${host}, now() + make_interval(secs => ${TOKEN_S}))
        on conflict (token) do update set certificate_id = excluded.certificate_id, expires_at = excluded.expires_at,
          key_authorization = excluded.key_authorization, host = excluded.host`);
    },

    async withdraw(certificateId) {
      const [zones] = await Promise.all([
        markAbsent(postgres, sql`r.owner_id = ${String(certificateId)}`),
        postgres.query(sql`delete from acme_http_tokens where certificate_id = ${certificateId}`),
      ]);
      return zones;
    },

    withdrawLost: () =>
      markAbsent(
        postgres,
        sql`r.updated_at < now() - make_interval(secs => ${LOST_S}) and not exists (
          select 1 from certificates c where c.certificate_id::text = r.owner_id and c.order_state is not null)`,
      ),

    async relayAddresses() {
      const rows = await postgres.query<{ address: string }>(sql`
        select distinct address from (
          select unnest(array[n.public_address, n.public_ipv4, n.public_ipv6]) as address from relay_nodes n
          where n.status <> 'offline'
          union all
          select r.value from domain_dns_records r join dns_zones z using (zone_id)
          where z.user_id is null and r.type in ('A', 'AAAA') and r.owner_type in ('node_group', 'line_group')
            and r.desired_state = 'present') known
        where address ~ '^[0-9.]+$' or address like '%:%' limit ${ADDRESSES_MAX}`);
      return rows.map(({ address }) => address);
    },
  };
}

const DUE = sql.raw(`status = 'pending', next_retry_at = now(), retry_count = 0, last_error = null,
  last_error_code = null, updated_at = now(), row_version = r.row_version + 1`);

async function markAbsent(postgres: Postgres, which: SQL): Promise<number[]> {
  const rows = await postgres.query<{ zone_id: number }>(sql`
    with marked as (
      update domain_dns_records r set desired_state = 'absent', ${DUE}
      from dns_zones z
      where z.zone_id = r.zone_id and r.owner_type = 'acme_challenge' and r.automatic and r.desired_state = 'present'
        and ${which}
      returning r.record_id, r.zone_id, z.user_id
    ), audited as (${insertAudit(
      bySystem('dns_record.delete', null),
      'dns_record',
      sql`marked.record_id::text`,
      sql`marked.user_id`,
      sql`marked`,
    )})
    select distinct zone_id from marked`);
  return rows.map((row) => row.zone_id);
}

function bySystem(action: string, after: unknown): AuditEntry {
  return { actorType: 'system', actorId: null, requestId: null, action, before: null, after };
}
