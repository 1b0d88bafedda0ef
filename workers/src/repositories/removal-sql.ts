import { type SQL, sql } from 'drizzle-orm';
import { bumpClients } from './binding-change-sql.ts';
import { endDomainRecords } from './domain-records-sql.ts';
import { quarantineNames } from './quarantine-sql.ts';

/** A route has no owner that must be told of its end. */
const ROUTE = sql.raw(`ends_with_client or expires_at is not null and user_id is not null`);

/**
 * Takes clients out of everything: private mappings of which one is the source go, as do mappings and domains that
 * nobody else serves; the others lose an upstream. Two statements for a transaction that then deletes the clients;
 * each change is told to the outbox.
 *
 * @param clientIds Subquery with one column.
 */
export function removeClients(clientIds: SQL): [SQL, SQL] {
  // Arrays and an aggregate, so that only the rows concerned are read, however many there are.
  const ids = sql`array(select client_id from leaving)`;
  const alone = (column: string, id: string): SQL => sql`(
    select coalesce(bool_and(o.client_id = any(${ids})), true) from endpoint_upstreams o
    where ${sql.raw(`o.${column} = ${id}`)})`;
  const served = (column: string): SQL => sql`
    select ${sql.raw(`e.${column}`)} from endpoint_upstreams e where e.client_id = any(${ids})`;
  const mappings = sql`
    with leaving as (${clientIds}),
    touched as (
      select m.mapping_id,
        coalesce(m.source_client_id = any(${ids}), false) or ${alone('mapping_id', 'm.mapping_id')} as ends,
        array(select e.client_id from endpoint_upstreams e where e.mapping_id = m.mapping_id
          union select m.source_client_id where m.source_client_id is not null) as client_ids
      from port_mappings m
      where m.mapping_id = any(array(${served('mapping_id')}
        union all select s.mapping_id from port_mappings s where s.source_client_id = any(${ids})))
    ), ended as (
      delete from port_mappings m using touched t where m.mapping_id = t.mapping_id and t.ends
      returning m.*, 'mapping:' || m.mapping_id as binding_id, t.client_ids, true as deleted, m.row_version + 1 as version
    ), kept as (
      update port_mappings m set row_version = nextval('row_version_seq') from touched t
      where m.mapping_id = t.mapping_id and not t.ends
      returning m.*, 'mapping:' || m.mapping_id as binding_id, t.client_ids, false as deleted, m.row_version as version
    ), left_behind as (
      delete from endpoint_upstreams e using kept k
      where e.mapping_id = k.mapping_id and e.client_id = any(${ids})
    ), changed as (select * from ended union all select * from kept),
    ${bumpClients(sql`changed`)}
    insert into outbox (kind, binding_id, endpoint, version, deleted, client_ids)
    select 'binding_changed', binding_id,
      case when source_client_id is null then protocol || ':' || relay_group || ':' || remote_port end,
      version, deleted, client_ids
    from changed where not deleted or not (${ROUTE})`;
  const domains = sql`
    with leaving as (${clientIds}),
    touched as (
      select d.id, ${alone('domain_id', 'd.id')} as ends,
        array(select e.client_id from endpoint_upstreams e where e.domain_id = d.id) as client_ids
      from http_domain_mappings d
      where d.id = any(array(${served('domain_id')}))
    ), ended as (
      delete from http_domain_mappings d using touched t where d.id = t.id and t.ends
      returning d.*, 'domain:' || d.id as binding_id, t.client_ids, true as deleted, d.row_version + 1 as version
    ), kept as (
      update http_domain_mappings d set row_version = nextval('row_version_seq') from touched t
      where d.id = t.id and not t.ends
      returning d.*, 'domain:' || d.id as binding_id, t.client_ids, false as deleted, d.row_version as version
    ), left_behind as (
      delete from endpoint_upstreams e using kept k
      where e.domain_id = k.id and e.client_id = any(${ids})
    ), changed as (select * from ended union all select * from kept),
    quarantined as (${quarantineNames(sql`ended`)}),
    unnamed as (${endDomainRecords(sql`ended`)}),
    ${bumpClients(sql`changed`)}
    insert into outbox (kind, binding_id, endpoint, version, deleted, client_ids)
    select 'binding_changed', binding_id, full_domain, version, deleted, client_ids from changed
    where verification_state = 'verified' and (not deleted or not (${ROUTE}))`;
  return [mappings, domains];
}
