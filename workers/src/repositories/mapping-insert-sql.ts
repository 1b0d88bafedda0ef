import { type SQL, sql } from 'drizzle-orm';
import type { AuditEntry } from '../services/audit.ts';
import type { NewMapping } from '../services/binding-ports.ts';
import { bumpClients, clientIds, insertBindingChange } from './binding-change-sql.ts';
import { mappingEndpoint } from './binding-sql.ts';
import { limitsOf, mappingCount } from './limits-sql.ts';
import { array, insertAudit } from './sql-parts.ts';
import { allWanted, wantedUpstreams } from './upstream-sql.ts';

/** What `insertMapping()` answers; no row: there is no such user. */
export interface MappingMade {
  limit: number | null;
  current: number;
  /** null: no pool has the port, or every port of the group's is taken. */
  port: number | null;
  pool_size: number;
  /** false: a client of it is gone. */
  complete: boolean;
  mapping_id: number | null;
  outbox_id: number | null;
}

/** One statement that makes a mapping if the quota has room and its port is free, and tells the outbox. */
export function insertMapping(mapping: NewMapping, audit: AuditEntry): SQL {
  const isPublic = mapping.kind === 'public';
  const sourceId = isPublic ? null : mapping.sourceClientId;
  return sql`
  with quota as (
    select l.max_mappings as "limit", ${mappingCount(sql`${mapping.userId}`)} as current
    from (${limitsOf(sql`${mapping.userId}`)}) l
  ), pool as (${isPublic ? portPool(mapping.relayGroup) : sql`select null::int as port, true as online where false`}),
  wanted as (${wantedUpstreams(mapping.upstreams, mapping)}),
  chosen as (${isPublic ? choosePort(mapping) : sql`select null::int as port`}),
  made as (
    insert into port_mappings as m (user_id, namespace_id, name, source_client_id, protocol, local_port, relay_group, remote_port,
      target_host, target_port, secret_encrypted, enabled, access_allow, access_deny)
    select ${mapping.userId}::bigint, ${mapping.namespaceId}::bigint, ${mapping.name}, ${sourceId}::bigint, ${mapping.protocol},
      ${isPublic ? null : mapping.localPort}::int, ${isPublic ? mapping.relayGroup : null}::text, chosen.port,
      ${mapping.targetHost}::text, ${mapping.targetPort}::int, ${isPublic ? null : mapping.secretEncrypted}::text,
      ${mapping.enabled}::boolean, ${array(mapping.access.allow, 'text')}, ${array(mapping.access.deny, 'text')}
    from quota, chosen
    where ("limit" is null or current < "limit") and ${allWanted(mapping.upstreams)} and (${!isPublic} or chosen.port is not null)
    on conflict (relay_group, protocol, remote_port) do nothing
    returning ${changedMapping(false)}, ${clientIds(sourceId, ...mapping.upstreams.map((row) => row.client_id))} as client_ids
  ), served as (
    insert into endpoint_upstreams (mapping_id, client_id, weight, priority)
    select made.mapping_id, wanted.client_id, wanted.weight, wanted.priority from made cross join wanted
  ), ${bumpClients(sql`made`)},
  told as (${insertBindingChange(sql`made`)}),
  audited as (${insertAudit(audit, 'mapping', sql`made.mapping_id::text`, sql`made.user_id`, sql`made`)})
  select quota."limit", quota.current, (select port from chosen) as port, (select count(*) from pool) as pool_size,
    ${allWanted(mapping.upstreams)} as complete,
    (select mapping_id from made) as mapping_id, (select id from told) as outbox_id
  from quota`;
}

/** Columns that the outbox needs, of a changed row `m`; the clients are an array beside it. */
export const changedMapping = (deleted: boolean): SQL => sql`m.mapping_id, m.user_id,
  'mapping:' || m.mapping_id as binding_id, ${mappingEndpoint} as endpoint,
  ${deleted ? sql`m.row_version + 1` : sql`m.row_version`} as version, ${sql.raw(String(deleted))} as deleted`;

/** Ports that some relay of the group listens on; `online`: one that is online now. */
export function portPool(group: string): SQL {
  return sql`select port, bool_or(n.status = 'online') as online
    from relay_nodes n cross join generate_series(n.public_from, n.public_to) port
    where n.relay_group = ${group} group by port`;
}

function choosePort({ remotePort, relayGroup, protocol }: NewMapping & { kind: 'public' }): SQL {
  if (remotePort !== null) return sql`select (select pool.port from pool where pool.port = ${remotePort}) as port`;
  return sql`select (select pool.port from pool where not exists (
      select from port_mappings t where t.relay_group = ${relayGroup} and t.protocol = ${protocol} and t.remote_port = pool.port)
    order by pool.online desc, random() limit 1) as port`;
}
