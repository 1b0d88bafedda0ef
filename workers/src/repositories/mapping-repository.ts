import { type SQL, sql } from 'drizzle-orm';
import type { AuditEntry } from '../services/audit.ts';
import type { MappingOutcome, MappingRecord, MappingRepository, NewMapping } from '../services/binding-ports.ts';
import { bumpClients, clientIds, insertBindingChange } from './binding-change-sql.ts';
import { problemsOf, upstreamRows } from './binding-state-sql.ts';
import { changedMapping, insertMapping, type MappingMade, portPool } from './mapping-insert-sql.ts';
import { endedRouteAtPort } from './route-end-sql.ts';
import { type Postgres, FOREIGN_KEY_VIOLATION, PostgresError, UNIQUE_VIOLATION } from './postgres.ts';
import { array, assignments, insertAudit, lockOwner, mappingsOf, moment, selectPage } from './sql-parts.ts';
import { transactionIf } from './transaction-if.ts';
import { allWanted, replaceUpstreams, wantedUpstreams } from './upstream-sql.ts';

/** Ports of a random choice that another tenant took meanwhile: so often another one is tried. */
const PORT_TRIES_MAX = 5;

const SELECT_MAPPING = sql`select m.mapping_id, m.user_id, m.namespace_id, m.name, m.protocol, m.source_client_id,
  (select e.client_id from endpoint_upstreams e where e.mapping_id = m.mapping_id
    order by e.priority, e.client_id limit 1) as target_client_id,
  ${upstreamRows(sql.raw('e.mapping_id = m.mapping_id'))} as upstreams,
  ${problemsOf(
    sql.raw(`'mapping:' || m.mapping_id`),
    // One list of ids, so that the primary key serves; an `or` would read every client there is.
    sql.raw(`c.client_id = any(array(
    select e.client_id from endpoint_upstreams e where e.mapping_id = m.mapping_id) || m.source_client_id)`),
  )} as problems,
  m.local_port, m.relay_group, m.remote_port, m.target_host, m.target_port, m.enabled, m.carrier,
  jsonb_build_object('allow', to_jsonb(m.access_allow), 'deny', to_jsonb(m.access_deny)) as access,
  m.total_connections, m.total_bytes_in, m.total_bytes_out, ${moment('m.last_active_at')} as last_active_at,
  array(select n.public_address from relay_nodes n
    where n.relay_group = m.relay_group and m.remote_port between n.public_from and n.public_to
    order by n.status <> 'online', n.node_id) as addresses,
  ${moment('m.expires_at')} as expires_at, m.row_version as version, ${moment('m.created_at')} as created_at, ${moment('m.updated_at')} as updated_at`;

/** Port mappings; each change raises the versions and leaves a row in the outbox, all in one transaction. */
export function createMappingRepository(postgres: Postgres): MappingRepository {
  async function tryCreate(mapping: NewMapping, audit: AuditEntry): Promise<MappingMade | undefined> {
    const [row] = await postgres.transaction<MappingMade>(
      lockOwner(mapping.userId, null),
      ...(mapping.kind === 'public' ? [endedRouteAtPort(mapping.relayGroup, mapping.remotePort)] : []),
      insertMapping(mapping, audit),
    );
    return row;
  }

  return {
    async create(mapping, audit) {
      for (let tries = 1; ; tries += 1) {
        const row = await goneIfDangling(() => tryCreate(mapping, audit));
        if (row === undefined) return { outcome: 'gone' };
        if (row.mapping_id !== null && row.outbox_id !== null) {
          return { outcome: 'done', mappingId: row.mapping_id, outboxIds: [row.outbox_id] };
        }
        if (row.limit !== null && row.current >= row.limit) {
          return { outcome: 'over_quota', limit: row.limit, current: row.current };
        }
        const chosen = mapping.kind === 'public' && mapping.remotePort !== null;
        if (!row.complete) return { outcome: 'gone' };
        if (row.port === null) return { outcome: chosen || row.pool_size === 0 ? 'no_pool' : 'port_taken' };
        if (chosen || tries === PORT_TRIES_MAX) return { outcome: 'port_taken' };
      }
    },

    async find(mappingId, tenant) {
      const [row] = await postgres.query<MappingRecord>(
        sql`${SELECT_MAPPING} from port_mappings m where m.mapping_id = ${mappingId} and ${mappingsOf(tenant)}`,
      );
      return row ?? null;
    },

    list: ({ userId, namespaceId, clientId, protocol }, tenant, page) =>
      selectPage<MappingRecord>(
        postgres,
        {
          select: SELECT_MAPPING,
          from: sql`port_mappings m`,
          where: [
            mappingsOf(tenant),
            userId === undefined ? sql`true` : sql`m.user_id = ${userId}`,
            namespaceId === undefined ? sql`true` : sql`m.namespace_id = ${namespaceId}`,
            clientId === undefined ? sql`true` : mappingsOf({ kind: 'client', clientId }),
            protocol === undefined ? sql`true` : sql`m.protocol = ${protocol}`,
          ],
          id: sql`m.mapping_id`,
        },
        page,
      ),

    update: (mapping, change, audit, ifVersion) =>
      portTakenIfUnique(async () => {
        const { mapping_id: id, source_client_id: source, target_client_id: target, relay_group: group } = mapping;
        const { upstreams } = change;
        const owner = { userId: mapping.user_id, namespaceId: mapping.namespace_id };
        const set = assignments({
          name: valueOf(change.name),
          target_host: valueOf(change.targetHost),
          target_port: valueOf(change.targetPort),
          local_port: valueOf(change.localPort),
          remote_port: valueOf(change.remotePort),
          enabled: valueOf(change.enabled),
          access_allow: change.access === undefined ? undefined : array(change.access.allow, 'text'),
          access_deny: change.access === undefined ? undefined : array(change.access.deny, 'text'),
        });
        const inPool =
          change.remotePort === undefined
            ? sql`true`
            : sql`${change.remotePort}::int in (select port from (${portPool(group ?? '')}) p)`;
        const rows = await transactionIf<{ id: number; in_pool: boolean }>(
          postgres,
          lockOwner(mapping.user_id, target),
          { table: 'port_mappings', id, ifVersion },
          sql`
          with wanted as (${wantedUpstreams(upstreams ?? [], owner)}),
          old as (select m.*, ${inPool} as in_pool from port_mappings m
            where m.mapping_id = ${id} and ${allWanted(upstreams ?? [])}),
          changed as (
            update port_mappings m set ${sql.join(
              [...set, sql`row_version = nextval('row_version_seq')`, sql`updated_at = now()`],
              sql`, `,
            )}
            from old where m.mapping_id = old.mapping_id and old.in_pool
            returning ${changedMapping(false)}, old.remote_port as old_port,
              ${concerned(source, ...(upstreams ?? []).map((row) => row.client_id))} as client_ids
          ), ${upstreams === undefined ? sql`` : sql`${replaceUpstreams('mapping_id', 'mapping_id')},`}
          moved as (
            select m.binding_id, m.client_ids, m.version, true as deleted,
              ${`${mapping.protocol}:${group}:`}::text || m.old_port as endpoint
            from changed m where m.endpoint is not null
          ), ${bumpClients(sql`changed`)},
          told as (${insertBindingChange(sql`(
            select binding_id, endpoint, version, deleted, client_ids from changed
            union all
            select v.binding_id, v.endpoint, v.version, v.deleted, v.client_ids from moved v
            where v.endpoint not in (select c.endpoint from changed c))`)}),
          audited as (${insertAudit(audit, 'mapping', sql`changed.mapping_id::text`, sql`changed.user_id`, sql`changed`)})
          select told.id, true as in_pool from told union all select null, false from old where not old.in_pool`,
        );
        if (rows.length === 0) return { outcome: 'gone' };
        if (rows.some((row) => !row.in_pool)) return { outcome: 'no_pool' };
        return { outcome: 'done', mappingId: id, outboxIds: rows.map((row) => row.id) };
      }),

    async remove(mapping, audit, ifVersion) {
      const { mapping_id: id, source_client_id: source, target_client_id: target } = mapping;
      const rows = await transactionIf<{ id: number }>(
        postgres,
        lockOwner(mapping.user_id, target),
        { table: 'port_mappings', id, ifVersion },
        sql`
        with changed as (
          delete from port_mappings m where m.mapping_id = ${id}
          returning ${changedMapping(true)}, ${concerned(source)} as client_ids
        ), ${bumpClients(sql`changed`)},
        audited as (${insertAudit(audit, 'mapping', sql`changed.mapping_id::text`, sql`changed.user_id`, sql`changed`)})
        ${insertBindingChange(sql`changed`)}`,
      );
      return rows.map((row) => row.id);
    },
  };
}

/** Every client that serves `m`, its source, and those that shall serve it. */
function concerned(source: number | null, ...wanted: number[]): SQL {
  return sql`array(select e.client_id from endpoint_upstreams e where e.mapping_id = m.mapping_id
    union select unnest(${clientIds(source, ...wanted)}))`;
}

function valueOf(value: string | number | boolean | undefined): SQL | undefined {
  return value === undefined ? undefined : sql`${value}`;
}

/** A client that is deleted at the same moment. */
async function goneIfDangling<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof PostgresError && error.sqlState === FOREIGN_KEY_VIOLATION) return undefined;
    throw error;
  }
}

async function portTakenIfUnique(work: () => Promise<MappingOutcome>): Promise<MappingOutcome> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof PostgresError && error.sqlState === UNIQUE_VIOLATION) return { outcome: 'port_taken' };
    throw error;
  }
}
