import { type SQL, sql } from 'drizzle-orm';
import type { CertificateWants } from '../certificates/certificate-worker-ports.ts';
import type { AuditEntry } from '../services/audit.ts';
import type { Postgres } from './postgres.ts';
import { array, insertAudit } from './sql-parts.ts';

/** Relays that were away for longer begin with everything. */
const REMOVED_KEPT_S = 30 * 86_400;
/** Longer than the longest limit counts back. */
const ORDERS_KEPT_S = 8 * 86_400;
/** Domains that one sweep takes at once. */
const NEW_MAX = 1000;

/** Custom domains that are to have a certificate; those of routes end with them. */
const WANTING = sql.raw(`d.base_domain is null and d.verification_state = 'verified' and d.tls_mode = 'terminate'
  and d.user_id is not null and d.proof_token is not null and not d.ends_with_client and d.expires_at is null`);

/** Which certificates there shall be: as base domains and custom domains are now. */
export function createCertificateWantRepository(postgres: Postgres): CertificateWants {
  return {
    async settle(baseDomains) {
      const bases = array(baseDomains, 'text');
      const rows = await postgres.transaction<{ made: number }>(
        sql`select pg_advisory_xact_lock(hashtext('certificates'))`,
        sql`
        with gone as (
          update certificates c set removed_at = now(), domain_id = null, base_domain = null, state = 'pending',
            chain = null, key_encrypted = null, next_key_encrypted = null, order_state = null, not_before = null,
            not_after = null, next_attempt_at = null, retry_count = 0, last_error = null, lease_holder = null,
            lease_until = null, row_version = nextval('row_version_seq'), updated_at = now()
          where c.removed_at is null and not (coalesce(c.base_domain = any(${bases}), false)
            or exists (select 1 from http_domain_mappings d where d.id = c.domain_id and ${WANTING}))
          returning c.certificate_id, c.names
        )
        ${auditAll('certificate.delete', 'before', sql`gone`)}`,
        sql`
        with wanted as (
          select array['*.' || base, base] as names, null::bigint as domain_id, base as base_domain, 'dns-01' as challenge,
            null::bigint as user_id
          from unnest(${bases}) base
          where not exists (select 1 from certificates c where c.base_domain = base)
          union all
          (select array[d.full_domain], d.id, null, 'http-01', d.user_id from http_domain_mappings d
          where ${WANTING} and not exists (select 1 from certificates c where c.domain_id = d.id)
          order by d.id limit ${NEW_MAX})
        ), made as (
          insert into certificates as c (names, domain_id, base_domain, challenge)
          select names, domain_id, base_domain, challenge from wanted
          -- A name that comes back: what was removed is wanted again.
          on conflict (names) do update set domain_id = excluded.domain_id, base_domain = excluded.base_domain,
            challenge = excluded.challenge, removed_at = null, next_attempt_at = now(), retry_count = 0, last_error = null,
            created_at = now(), updated_at = now()
          where c.removed_at is not null
          returning c.certificate_id, c.names, c.domain_id
        ), audited as (${auditAll('certificate.create', 'after', sql`made`)}), looked as (
          -- Somebody has mended, or looked for, what a certificate waited for.
          update certificates c set next_attempt_at = now()
          where c.state = 'pending' and c.order_state is null and c.next_attempt_at > now() and c.retry_count = 0
            and (exists (select 1 from dns_zones z where z.created_at > c.updated_at)
              or exists (select 1 from http_domain_mappings d where d.id = c.domain_id and d.proof_checked_at > c.updated_at))
        ), ended as (
          update certificates c set state = 'error', updated_at = now() where c.state = 'active' and c.not_after <= now()
        )
        select count(*)::int as made from made`,
      );
      return rows[0]?.made ?? 0;
    },

    async clear() {
      await postgres.query(sql`
        delete from certificates where removed_at < now() - make_interval(secs => ${REMOVED_KEPT_S})`);
      await postgres.query(sql`
        delete from certificate_orders where ordered_at < now() - make_interval(secs => ${ORDERS_KEPT_S})`);
      await postgres.query(sql`delete from acme_http_tokens where expires_at < now()`);
    },
  };
}

/** A line for each row of `from`, which has `certificate_id` and `names`, and `domain_id` if it was made. */
function auditAll(action: string, side: 'before' | 'after', from: SQL): SQL {
  const entry: AuditEntry = {
    ...{ actorType: 'system', actorId: null, requestId: null, action },
    ...{ before: null, after: null },
  };
  const names = sql`jsonb_build_object('names', ${from}.names)`;
  if (side === 'before') {
    return insertAudit(entry, 'certificate', sql`${from}.certificate_id::text`, sql`null::bigint`, from, names);
  }
  const userId = sql`(select d.user_id from http_domain_mappings d where d.id = ${from}.domain_id)`;
  const id = sql`${from}.certificate_id::text`;
  return sql`
    insert into audit_log (actor_type, actor_id, user_id, action, object_type, object_id, before, after, request_id)
    select 'system', null, ${userId}, ${action}::text, 'certificate', ${id}, null, ${names}, null from ${from}`;
}
