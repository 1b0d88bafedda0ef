import { sql } from 'drizzle-orm';
import type { LeavingRecords, OwnerRecordRepository } from '../services/dns-owner-ports.ts';
import { followDomains } from './domain-records-sql.ts';
import { COMPARE_BY_HASH } from './owner-records-sql.ts';
import type { Postgres } from './postgres.ts';
import { doubtedRelays, followRelays, LOCK_RELAY_RECORDS } from './relay-records-sql.ts';

export interface OwnerRecordOptions {
  baseDomains: readonly [string, ...string[]];
  leaseMs: number;
}

interface ZoneId {
  zone_id: number;
}

/** Records that follow relays and domains by themselves. */
export function createOwnerRecordRepository(postgres: Postgres, options: OwnerRecordOptions): OwnerRecordRepository {
  const idsOf = (rows: ZoneId[]): number[] => rows.map(({ zone_id }) => zone_id);
  return {
    followRelays: async () =>
      idsOf(await postgres.transaction<ZoneId>(LOCK_RELAY_RECORDS, COMPARE_BY_HASH, followRelays(options))),

    async followDomains(userId) {
      const statement = followDomains(userId, options.baseDomains[0]);
      // One user's are few.
      if (userId !== null) return idsOf(await postgres.query<ZoneId>(statement));
      return idsOf(await postgres.transaction<ZoneId>(COMPARE_BY_HASH, statement));
    },

    async hasZones(userId) {
      const rows = await postgres.query(sql`select from dns_zones where user_id = ${userId} limit 1`);
      return rows.length > 0;
    },

    async dueZones(userId) {
      return idsOf(
        await postgres.query<ZoneId>(sql`
          select distinct r.zone_id from domain_dns_records r join dns_zones z using (zone_id)
          where z.user_id is not distinct from ${userId}::bigint and r.status = 'pending' and r.next_retry_at <= now()`),
      );
    },

    async leaving(nodeId) {
      const [row] = await postgres.query<LeavingRecords>(sql`
        select count(*) as "left", count(*) filter (where r.status = 'error') as failed
        from domain_dns_records r join relay_nodes n on r.value in (n.public_ipv4, n.public_ipv6)
        where n.node_id = ${nodeId} and r.automatic and r.desired_state = 'absent' and r.type in ('A', 'AAAA')`);
      return row ?? { left: 0, failed: 0 };
    },

    async doubted() {
      const rows = await postgres.query<{ node_id: string }>(
        sql`select node_id from (${doubtedRelays(options.leaseMs)}) d order by node_id`,
      );
      return rows.map(({ node_id }) => node_id);
    },

    async forgetUsers() {
      // What of ours is to go gets a day for it; what people have made for themselves stays at the provider.
      const rows = await postgres.query<{ domain: string | null }>(sql`
        with leaving as (
          select z.zone_id, z.domain, z.user_id from dns_zones z join users u using (user_id)
          where u.status = 'deleted' and (u.updated_at < now() - interval '1 day' or not exists (
            select from domain_dns_records r where r.zone_id = z.zone_id and r.desired_state = 'absent'
              and r.next_retry_at is not null))
        ), records as (
          delete from domain_dns_records r using leaving l where r.zone_id = l.zone_id
        ), zones as (
          delete from dns_zones z using leaving l where z.zone_id = l.zone_id
        ), credentials as (
          delete from provider_credentials c using users u
          where u.user_id = c.user_id and u.status = 'deleted' and not exists (
            select from dns_zones z where z.credential_id = c.credential_id
              and z.zone_id not in (select zone_id from leaving))
          returning c.credential_id, c.user_id, c.name
        ), audited as (
          insert into audit_log (actor_type, user_id, action, object_type, object_id, before)
          select 'system', user_id, 'dns_zone.delete', 'dns_zone', zone_id::text,
            jsonb_build_object('domain', domain, 'reason', 'its user was deleted') from leaving
          union all
          select 'system', user_id, 'dns_credential.delete', 'dns_credential', credential_id::text,
            jsonb_build_object('name', name, 'reason', 'its user was deleted') from credentials
        )
        select domain from leaving`);
      return rows.flatMap(({ domain }) => domain ?? []);
    },
  };
}
