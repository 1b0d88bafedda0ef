import { type SQL, sql } from 'drizzle-orm';
import type { AuditEntry } from '../services/audit.ts';
import type { Claim, ClaimRepository, HandoverRepository } from '../services/claim-ports.ts';
import { changedDomain } from './domain-insert-sql.ts';
import { limitsOf, mappingCount } from './limits-sql.ts';
import { changedMapping } from './mapping-insert-sql.ts';
import { ownsNamespace } from './membership-sql.ts';
import type { Postgres } from './postgres.ts';
import { insertClientChange, json, lockOwner, mappingsOf } from './sql-parts.ts';

interface ClaimRow {
  unchanged: boolean;
  owned: boolean;
  max_clients: number | null;
  clients: number;
  max_mappings: number | null;
  mappings: number;
  client_id: number | null;
  outbox_ids: number[];
}

/** Anonymous clients become managed ones, and hand their new codes out to their agents. */
export function createClaimRepository(postgres: Postgres): ClaimRepository & HandoverRepository {
  return {
    async claim(claim, audits) {
      const [row] = await postgres.transaction<ClaimRow>(
        // The user first, as everywhere: its counts stand still, and two transactions never wait for each other.
        lockOwner(claim.userId, null),
        sql`select client_id from clients where client_id = ${claim.anonymousId} for update`,
        claimStatement(claim, audits),
      );
      if (row?.unchanged !== true) return { outcome: 'changed' };
      if (!row.owned) return { outcome: 'no_owner' };
      const { client_id: clientId, max_clients, clients, max_mappings, mappings } = row;
      if (clientId !== null) return { outcome: 'done', clientId, outboxIds: row.outbox_ids };
      if (max_clients !== null && clients >= max_clients) {
        return { outcome: 'over_quota', what: 'clients', limit: max_clients, current: clients };
      }
      return { outcome: 'over_quota', what: 'mappings', limit: max_mappings ?? 0, current: mappings };
    },

    async find(oldClientId) {
      const [row] = await postgres.query<{ handover_encrypted: string | null }>(
        sql`select handover_encrypted from clients where client_id = ${oldClientId} and lifecycle = 'claimed'`,
      );
      return row?.handover_encrypted ?? null;
    },

    async end(newClientId) {
      await postgres.query(endHandoversTo(sql`${newClientId}`));
    },
  };
}

/** Whoever shows the old code of what became one of these clients gets nothing any more. */
export function endHandoversTo(clientIds: SQL): SQL {
  return sql`update clients set handover_encrypted = null
    where upgraded_to in (${clientIds}) and handover_encrypted is not null`;
}

/** One row, whatever comes of it; with a `client_id` everything was changed, without one nothing. */
function claimStatement(claim: Claim, { old, made }: { old: AuditEntry; made: AuditEntry }): SQL {
  const { anonymousId, userId, namespaceId } = claim;
  // A route that was made for a shorter time keeps it.
  const expiresAt = (table: string): SQL =>
    sql.raw(`case when ${table}.expires_at < anonymous.expires_at then ${table}.expires_at end`);
  const moved = (table: string): SQL => sql`user_id = made.user_id, namespace_id = ${namespaceId}::bigint,
    expires_at = ${expiresAt(table)}, row_version = nextval('row_version_seq'), updated_at = now()`;
  return sql`
    with anonymous as (
      select c.* from clients c where c.client_id = ${anonymousId} and c.type = 'anonymous'
        and c.auth_code_hash = ${claim.authCodeHash} and c.lifecycle = 'active' and c.suspended_at is null
        and c.expires_at > now()
    ), owner as (
      select u.user_id from users u where u.user_id = ${userId} and u.status = 'active' and (${namespaceId}::bigint is null
        or ${ownsNamespace(sql`u.user_id`, namespaceId)})
    ), its_domains as (
      select d.id from http_domain_mappings d where d.user_id is null
        and d.id in (select e.domain_id from endpoint_upstreams e where e.client_id = ${anonymousId})
    ), its_mappings as (
      select m.mapping_id from port_mappings m
      where m.user_id is null and ${mappingsOf({ kind: 'client', clientId: anonymousId })}
    ), quota as (
      select l.max_clients, l.max_mappings, (select count(*) from clients c where c.user_id = owner.user_id) as clients,
        ${mappingCount(sql`owner.user_id`)} as mappings,
        (select count(*) from its_domains) + (select count(*) from its_mappings) as more
      from owner, (${limitsOf(sql`${userId}`)}) l
    ), made as (
      insert into clients (user_id, namespace_id, type, auth_code_hash, name, description, config_version)
      select owner.user_id, ${namespaceId}::bigint, 'managed', ${claim.newAuthCodeHash},
        coalesce(${claim.name}::text, anonymous.name), anonymous.description, 1
      from anonymous, owner, quota where (max_clients is null or clients < max_clients)
        and (max_mappings is null or more = 0 or mappings + more <= max_mappings)
      returning client_id, user_id, name
    ), claimed as (
      update clients c set lifecycle = 'claimed', claimed_by = made.user_id, upgraded_to = made.client_id,
        handover_encrypted = ${claim.handoverEncrypted}, credential_generation = c.credential_generation + 1,
        config_version = c.config_version + 1, row_version = c.row_version + 1, updated_at = now()
      from made where c.client_id = ${anonymousId}
      returning c.client_id, c.config_version
    ), upstreams as (
      update endpoint_upstreams e set client_id = made.client_id from made where e.client_id = ${anonymousId}
    ), domains as (
      update http_domain_mappings d set ${moved('d')} from made, anonymous, its_domains i where d.id = i.id
      returning ${changedDomain(false)}, array[made.client_id] as client_ids
    ), mappings as (
      update port_mappings m set ${moved('m')},
        source_client_id = case when m.source_client_id = ${anonymousId} then made.client_id else m.source_client_id end
      from made, anonymous, its_mappings i where m.mapping_id = i.mapping_id
      returning ${changedMapping(false)}, array[made.client_id] as client_ids
    ), bindings as (
      select binding_id, endpoint, version, client_ids from domains where verification_state = 'verified'
      union all select binding_id, endpoint, version, client_ids from mappings
    ), told as (${insertClientChange('claimed', sql`claimed`)}),
    bindings_told as (
      insert into outbox (kind, binding_id, endpoint, version, deleted, client_ids)
      select 'binding_changed', binding_id, endpoint, version, false, client_ids from bindings returning id
    ), audited as (
      insert into audit_log (actor_type, actor_id, user_id, action, object_type, object_id, before, after, request_id)
      select * from (
        ${auditRow(
          old,
          sql`${anonymousId}::text`,
          sql`jsonb_build_object('new_client_id', made.client_id,
          'moved', coalesce((select jsonb_agg(binding_id) from bindings), '[]'))`,
        )}
        union all
        ${auditRow(made, sql`made.client_id::text`, sql`jsonb_build_object('name', made.name)`)}
      ) entries
    )
    select exists (select 1 from anonymous) as unchanged, exists (select 1 from owner) as owned,
      q.max_clients, q.clients, q.max_mappings, q.mappings, (select client_id from made) as client_id,
      array(select id from told union all select id from bindings_told) as outbox_ids
    from (select 1) one left join quota q on true`;
}

function auditRow(entry: AuditEntry, objectId: SQL, facts: SQL): SQL {
  return sql`select ${entry.actorType}::text, ${entry.actorId}::bigint, made.user_id, ${entry.action}::text, 'client',
    ${objectId}, ${json(entry.before)}, ${json(entry.after)} || ${facts}, ${entry.requestId}::text from made`;
}
