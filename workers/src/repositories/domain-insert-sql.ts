import { type SQL, sql } from 'drizzle-orm';
import type { AuditEntry } from '../services/audit.ts';
import type { NewDomain } from '../services/binding-ports.ts';
import { bumpClients, clientIds, insertBindingChange } from './binding-change-sql.ts';
import { limitsOf, mappingCount } from './limits-sql.ts';
import { endQuarantine, reservationsAgainst } from './quarantine-sql.ts';
import { array, insertAudit } from './sql-parts.ts';
import { allWanted, wantedUpstreams } from './upstream-sql.ts';

/** What `insertDomain()` answers; no row: there is no such client. */
export interface DomainMade {
  limit: number | null;
  current: number;
  /** false: a client of it is gone. */
  complete: boolean;
  domain_id: number | null;
  outbox_id: number | null;
}

/** One statement that makes a domain if the quota has room and the name is free, and tells the outbox. */
export function insertDomain(domain: NewDomain, audit: AuditEntry): SQL {
  const { userId, clientId, under, access } = domain;
  // An anonymous client is its own tenant.
  const current =
    userId === null
      ? sql`(select count(*) from endpoint_upstreams e where e.client_id = ${clientId})`
      : mappingCount(sql`${userId}`);
  return sql`
    with owner as (select client_id, expires_at from clients where client_id = ${clientId}),
    quota as (
      select l.max_mappings as "limit", ${current} as current, owner.expires_at
      from owner, (${limitsOf(sql`${userId}::bigint`)}) l
    ), wanted as (${wantedUpstreams(domain.upstreams, domain)}),
    changed as (
      insert into http_domain_mappings as d (user_id, namespace_id, full_domain, subdomain, base_domain, verification_state, proof_token, verified_at, proof_due_at,
        target_scheme, target_host, target_port, host_header, tls_mode, access_allow, access_deny, status, expires_at)
      select ${userId}::bigint, ${domain.namespaceId}::bigint, ${domain.fullDomain}, ${under?.subdomain ?? null}::text, ${under?.baseDomain ?? null}::text,
        ${domain.verified ? 'verified' : 'pending_verification'}, ${domain.proofToken}::text,
        ${domain.verified ? sql`now()` : sql`null`}, ${domain.proofToken === null ? sql`null` : sql`now()`}, ${domain.targetScheme},
        ${domain.targetHost}, ${domain.targetPort}::int, ${domain.hostHeader}::text, ${domain.tlsMode},
        ${array(access.allow, 'text')}, ${array(access.deny, 'text')}, ${domain.enabled ? 'active' : 'disabled'},
        quota.expires_at
      from quota where ("limit" is null or current < "limit") and ${allWanted(domain.upstreams)}
        and not exists (${reservationsAgainst(domain.fullDomain, under?.subdomain ?? null, userId)})
      on conflict do nothing
      returning ${changedDomain(false)}, ${clientIds(...domain.upstreams.map((row) => row.client_id))} as client_ids
    ), served as (
      insert into endpoint_upstreams (domain_id, client_id, weight, priority)
      select changed.id, wanted.client_id, wanted.weight, wanted.priority from changed cross join wanted
    ), taken_again as (${endQuarantine(sql`(select endpoint as full_domain from changed)`)}),
    ${bumpClients(TELLABLE)},
    told as (${insertBindingChange(TELLABLE)}),
    audited as (${insertAudit(audit, 'domain', sql`changed.id::text`, sql`changed.user_id`, sql`changed`)})
    select quota."limit", quota.current, ${allWanted(domain.upstreams)} as complete, (select id from changed) as domain_id, (select id from told) as outbox_id
    from quota`;
}

/** Columns that the outbox needs, of a changed row `d`; the clients are an array beside it. */
export const changedDomain = (deleted: boolean): SQL => sql`d.id, d.user_id, 'domain:' || d.id as binding_id,
  d.full_domain as endpoint, ${deleted ? sql`d.row_version + 1` : sql`d.row_version`} as version, ${sql.raw(String(deleted))} as deleted,
  d.verification_state`;

/** An unproved claim of a name is no binding. */
export const TELLABLE = sql`(select * from changed where verification_state = 'verified')`;
