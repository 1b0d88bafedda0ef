import { type SQL, sql } from 'drizzle-orm';
import type { AuditEntry } from '../services/audit.ts';
import type { Owner, Tenant } from '../services/principal.ts';
import type { NewRoute } from '../services/route-ports.ts';
import { bumpClients } from './binding-change-sql.ts';
import { limitsOf, mappingCount } from './limits-sql.ts';
import { domainsOf, insertClientChange, mappingsOf } from './sql-parts.ts';

/** A client's policy, which is told whole, has to fit into one message to its relay (1 MiB). */
const CLIENT_BINDINGS_MAX = 2000;

/** What `insertRoutes()` answers, a row for each wish in their order. */
export interface RouteMade {
  binding_id: string | null;
  /** null: nothing speaks against it, but the quota, or who was faster. */
  refusal: 'gone' | 'reserved' | 'unproved' | 'no_pool' | 'taken' | 'client_full' | null;
  yours: boolean;
  over_quota: boolean;
  limit: number | null;
  current: number;
  outbox_ids: number[];
}

/**
 * One statement, however many there are: makes the routes that can be made, as far as the quota reaches, in the order of
 * the wishes. Clients hear of a changed configuration; owners of endpoints hear nothing (docs/adr/0013).
 */
export function insertRoutes(
  routes: NewRoute[],
  { userId, namespaceId }: Owner,
  tenant: Tenant,
  audit: AuditEntry,
): SQL {
  const wishes = JSON.stringify(routes.map(toWish));
  const own = (table: string): SQL =>
    sql`${sql.raw(table)}.user_id = ${userId} and ${sql.raw(table)}.namespace_id is not distinct from ${namespaceId}::bigint`;
  return sql`
  with wish as (
    select * from jsonb_to_recordset(${wishes}::jsonb) as w (n int, endpoint text, full_domain text, subdomain text,
      base_domain text, parents text[], relay_group text, port int, client_id bigint, target_host text, target_port int,
      ttl_s int, attached boolean)
  ), serving as (
    select c.client_id from clients c
    where c.client_id in (select client_id from wish) and ${own('c')} and c.lifecycle = 'active'
  ), judged as (
    select w.*, coalesce(hd.yours, hm.yours) as yours, case
      when s.client_id is null then 'gone'
      when w.full_domain is not null and exists (
        select from reserved_names r where r.name in (w.full_domain, coalesce(w.subdomain, w.full_domain))
          and (r.until is null or r.until > now()) and r.user_id is distinct from ${userId}::bigint) then 'reserved'
      when w.parents is not null and not exists (
        select from http_domain_mappings p where p.full_domain = any(w.parents) and p.verification_state = 'verified'
          and p.base_domain is null and not p.ends_with_client and p.expires_at is null and ${own('p')}) then 'unproved'
      when coalesce(hd.yours, hm.yours) is not null then 'taken'
      when w.port is not null and not exists (
        select from relay_nodes n where n.relay_group = w.relay_group and w.port between n.public_from and n.public_to)
        then 'no_pool'
      end as refusal
    from wish w left join serving s on s.client_id = w.client_id
      left join lateral (
        select bool_or(${domainsOf(tenant)}) as yours from http_domain_mappings d
        where d.full_domain = w.full_domain and (d.verification_state = 'verified' or d.user_id = ${userId})) hd on true
      left join lateral (
        select bool_or(${mappingsOf(tenant)}) as yours from port_mappings m
        where m.relay_group = w.relay_group and m.protocol = 'tcp' and m.remote_port = w.port) hm on true
  ), room as (
    select l.max_mappings as "limit", ${mappingCount(sql`${userId}`)} as current from (${limitsOf(sql`${userId}`)}) l
  ), seated as (
    select j.*, j.refusal is null and coalesce(h.held, 0)
      + row_number() over (partition by j.client_id, j.refusal is null order by j.n) > ${CLIENT_BINDINGS_MAX} as is_full
    from judged j left join (
      select e.client_id, count(*) as held from endpoint_upstreams e
      where e.client_id in (select client_id from serving) group by e.client_id) h on h.client_id = j.client_id
  ), placed as (
    select s.*, row_number() over (order by s.n) as place from seated s where s.refusal is null and not s.is_full
  ), admitted as (
    select p.* from placed p, room where "limit" is null or current + p.place <= "limit"
  ), domains_made as (
    insert into http_domain_mappings as d (user_id, namespace_id, full_domain, subdomain, base_domain, verification_state,
      verified_at, target_host, target_port, expires_at, ends_with_client, made_attached)
    select ${userId}::bigint, ${namespaceId}::bigint, a.full_domain, a.subdomain, a.base_domain, 'verified', now(),
      a.target_host, a.target_port, now() + make_interval(secs => a.ttl_s), a.ttl_s is null, a.attached
    from admitted a where a.full_domain is not null
    on conflict do nothing returning d.id, d.full_domain
  ), mappings_made as (
    insert into port_mappings as m (user_id, namespace_id, protocol, relay_group, remote_port, target_host, target_port,
      expires_at, ends_with_client, made_attached)
    select ${userId}::bigint, ${namespaceId}::bigint, 'tcp', a.relay_group, a.port, a.target_host, a.target_port,
      now() + make_interval(secs => a.ttl_s), a.ttl_s is null, a.attached
    from admitted a where a.port is not null
    on conflict do nothing returning m.mapping_id, m.relay_group, m.remote_port
  ), made as (
    select a.*, 'domain:' || d.id as binding_id, d.id as domain_id, null::bigint as mapping_id, array[a.client_id] as client_ids
    from admitted a join domains_made d on d.full_domain = a.full_domain
    union all
    select a.*, 'mapping:' || m.mapping_id, null, m.mapping_id, array[a.client_id]
    from admitted a join mappings_made m on m.relay_group = a.relay_group and m.remote_port = a.port
  ), served as (
    insert into endpoint_upstreams (mapping_id, domain_id, client_id) select mapping_id, domain_id, client_id from made
  ), ${bumpClients(sql`made`)},
  told as (${insertClientChange('updated', sql`bumped`)}),
  audited as (
    insert into audit_log (actor_type, actor_id, user_id, action, object_type, object_id, after, request_id)
    select ${audit.actorType}::text, ${audit.actorId}::bigint, ${userId}::bigint, ${audit.action}::text, 'route', m.endpoint,
      jsonb_build_object('binding_id', m.binding_id, 'client_id', m.client_id, 'target_host', m.target_host,
        'target_port', m.target_port, 'ttl_seconds', m.ttl_s), ${audit.requestId}::text
    from made m
  )
  select m.binding_id, case when j.is_full then 'client_full' else j.refusal end as refusal, coalesce(j.yours, false) as yours, room."limit", room.current,
    p.place is not null and room."limit" is not null and room.current + p.place > room."limit" as over_quota,
    case when j.n = 0 then array(select id from told) else '{}' end as outbox_ids
  from seated j cross join room left join placed p on p.n = j.n left join made m on m.n = j.n
  order by j.n`;
}

function toWish({ endpoint, clientId, targetHost, targetPort, ttlS, attached }: NewRoute, n: number): object {
  const target = { client_id: clientId, target_host: targetHost, target_port: targetPort };
  const common = { n, endpoint: endpoint.endpoint, ...target, ttl_s: ttlS, attached };
  if (endpoint.kind === 'port') return { ...common, relay_group: endpoint.group, port: endpoint.port };
  const { under, parents } = endpoint;
  const name = { subdomain: under?.subdomain ?? null, base_domain: under?.baseDomain ?? null, parents };
  return { ...common, full_domain: endpoint.endpoint, ...name };
}
