import { type SQL, sql } from 'drizzle-orm';
import { noteOtherChange } from './binding-change-sql.ts';
import { isRoute } from './binding-sql.ts';

/**
 * What follows for the clients when a row of `changed` was switched on or off (tickets void, bindings changed), or has
 * got another plan (limits): the parts `told` and `bindings_told`, outbox rows.
 */
export function clientsToldOf(changed: SQL): SQL {
  return sql`
    clients_changed as (
      update clients c set config_version = c.config_version + 1,
        row_version = c.row_version + case when ch.switched then 1 else 0 end,
        credential_generation = c.credential_generation + case when ch.switched and ch.status = 'disabled' then 1 else 0 end
      from ${changed} ch where c.user_id = ch.user_id and (ch.switched or ch.replanned)
      returning c.client_id, c.config_version,
        case when not ch.switched then 'limits' when ch.status = 'disabled' then 'disabled' else 'enabled' end as change
    ), changes_noted as (${noteOtherChange(sql`clients_changed`)}),
    told as (
      insert into outbox (kind, version, client_ids, change)
      select 'client_changed', config_version, array[client_id], change from clients_changed returning id
    ), mappings_changed as (
      update port_mappings m set row_version = nextval('row_version_seq')
      from ${changed} ch where m.user_id = ch.user_id and ch.switched
      returning 'mapping:' || m.mapping_id as binding_id, m.row_version as version,
        case when m.source_client_id is null then m.protocol || ':' || m.relay_group || ':' || m.remote_port end as endpoint,
        ${isRoute('m')} as is_route
    ), domains_changed as (
      update http_domain_mappings d set row_version = nextval('row_version_seq')
      from ${changed} ch where d.user_id = ch.user_id and ch.switched and d.verification_state = 'verified'
      returning 'domain:' || d.id as binding_id, d.row_version as version, d.full_domain as endpoint,
        ${isRoute('d')} as is_route
    ), bindings_told as (
      insert into outbox (kind, binding_id, endpoint, version, client_ids)
      select 'binding_changed', b.binding_id, b.endpoint, b.version, '{}'
      -- Routes have no owner that must be told.
      from (select * from mappings_changed union all select * from domains_changed) b where not b.is_route returning id
    )`;
}
