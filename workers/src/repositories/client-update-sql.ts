import { type SQL, sql } from 'drizzle-orm';
import type { AuditEntry } from '../services/audit.ts';
import type { ClientChange } from '../services/client-ports.ts';
import { insertBindingChange, noteOtherChange } from './binding-change-sql.ts';
import { isRoute, mappingEndpoint } from './binding-sql.ts';
import { assignments, insertAudit } from './sql-parts.ts';

/**
 * One statement that changes a client. When it is switched on or off by that, its tickets are void, and what it serves
 * gets a new version: whether a binding is enabled depends on whether somebody may serve it.
 *
 * @returns Ids of outbox rows.
 */
export function updateClient(clientId: number, change: ClientChange, audit: AuditEntry): SQL {
  const { name, description, enabled, suspended } = change;
  const lifecycle = enabled === undefined ? sql`c.lifecycle` : sql`${enabled ? 'active' : 'disabled'}::text`;
  // The first moment stays when only the reason is another one.
  const suspendedAt =
    suspended === undefined
      ? sql`c.suspended_at`
      : suspended === null
        ? sql`null::timestamptz`
        : sql`coalesce(c.suspended_at, now())`;
  const set = assignments({
    name: name === undefined ? undefined : sql`${name}`,
    description: description === undefined ? undefined : sql`${description}`,
    lifecycle,
    suspended_at: suspendedAt,
    suspended_reason: suspended === undefined ? undefined : sql`${suspended?.reason ?? null}::text`,
  });
  const usable = sql`(${lifecycle} = 'active' and (${suspendedAt}) is null)`;
  return sql`
    with old as (
      select c.client_id, c.lifecycle = 'active' and c.suspended_at is null as usable from clients c
      where c.client_id = ${clientId} and c.lifecycle <> 'claimed'
    ), changed as (
      update clients c set ${sql.join(set, sql`, `)}, row_version = c.row_version + 1, updated_at = now(),
        credential_generation = c.credential_generation + case when old.usable and not ${usable} then 1 else 0 end,
        config_version = c.config_version + case when old.usable <> ${usable} then 1 else 0 end
      from old where c.client_id = old.client_id
      returning c.client_id, c.user_id, c.config_version, c.lifecycle = 'active' and c.suspended_at is null as usable,
        old.usable as was_usable
    ), switched as (select * from changed where usable <> was_usable),
    mappings as (
      update port_mappings m set row_version = nextval('row_version_seq') from switched s
      where m.mapping_id in (select e.mapping_id from endpoint_upstreams e where e.client_id = s.client_id)
      returning 'mapping:' || m.mapping_id as binding_id, ${mappingEndpoint} as endpoint, m.row_version as version,
        array(select e.client_id from endpoint_upstreams e where e.mapping_id = m.mapping_id) as client_ids,
        ${isRoute('m')} as is_route
    ), domains as (
      update http_domain_mappings d set row_version = nextval('row_version_seq') from switched s
      where d.verification_state = 'verified'
        and d.id in (select e.domain_id from endpoint_upstreams e where e.client_id = s.client_id)
      returning 'domain:' || d.id as binding_id, d.full_domain as endpoint, d.row_version as version,
        array(select e.client_id from endpoint_upstreams e where e.domain_id = d.id) as client_ids,
        ${isRoute('d')} as is_route
    ), bindings as (
      select b.*, false as deleted from (select * from mappings union all select * from domains) b
    ), bumped as (
      update clients o set config_version = o.config_version + 1
      where o.client_id in (select unnest(b.client_ids) from bindings b) and o.client_id <> ${clientId}
      returning o.client_id, o.config_version
    ), changes_noted as (${noteOtherChange(sql`(
      select client_id, config_version from switched union all select client_id, config_version from bumped)`)}
    -- A route has no owner that must be told, only the others who serve it.
    ), bindings_told as (${insertBindingChange(sql`(select * from bindings where not is_route or cardinality(client_ids) > 1)`)}),
    told as (
      insert into outbox (kind, version, client_ids, change)
      select 'client_changed', s.config_version, array[s.client_id], case when s.usable then 'enabled' else 'disabled' end
      from switched s returning id
    ), audited as (${insertAudit(audit, 'client', sql`changed.client_id::text`, sql`changed.user_id`, sql`changed`)})
    select id from told union all select id from bindings_told`;
}
