import { type SQL, sql } from 'drizzle-orm';
import type { AuditEntry } from '../services/audit.ts';
import type { PageRequest, PageRows } from '../services/page.ts';
import type { Tenant } from '../services/principal.ts';
import type { Postgres } from './postgres.ts';

/** A `timestamptz` as RFC 3339 in UTC with milliseconds, or null. */
export function moment(column: string): SQL {
  return sql.raw(`to_char(${column} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`);
}

/** Array parameter: drizzle alone would make a list of parameters of it. */
export function array(values: readonly (number | string)[], type: 'bigint' | 'text'): SQL {
  return sql`${sql.param([...values])}::${sql.raw(type)}[]`;
}

/** Conditions joined by `and`; none: true. */
export function all(conditions: readonly SQL[]): SQL {
  return conditions.length === 0 ? sql`true` : sql`(${sql.join([...conditions], sql` and `)})`;
}

/** Assignments of an `update`, without those whose value is undefined. */
export function assignments(values: Record<string, SQL | undefined>): SQL[] {
  return Object.entries(values).flatMap(([column, value]) =>
    value === undefined ? [] : [sql`${sql.identifier(column)} = ${value}`],
  );
}

/** First statement of a change: one at a time for each tenant, so that counts and versions are exact. */
export function lockOwner(userId: number | null, clientId: number | null): SQL {
  return userId === null
    ? sql`select client_id from clients where client_id = ${clientId} for no key update`
    : sql`select user_id from users where user_id = ${userId} for no key update`;
}

/** Rows with `user_id` and `namespace_id` that the tenant sees. @param table Its alias. */
export function ownedBy(table: 'c' | 'd' | 'l' | 'm', tenant: Tenant & { kind: 'user' | 'owner' }): SQL {
  const user = sql.raw(`${table}.user_id`);
  const namespace = sql.raw(`${table}.namespace_id`);
  const alone = sql`(${user} = ${tenant.userId} and ${namespace} is null)`;
  if (tenant.kind === 'user') {
    if (tenant.namespaceIds.length === 0) return alone;
    return sql`(${alone} or ${namespace} = any(${array(tenant.namespaceIds, 'bigint')}))`;
  }
  if (tenant.namespaceId === null) return alone;
  return sql`(${user} = ${tenant.userId} and ${namespace} = ${tenant.namespaceId})`;
}

/** Rows that belong to users alone and to no team: what operators have (`user_id` null) is theirs. */
export function ownRows(column: string, tenant: Tenant): SQL {
  switch (tenant.kind) {
    case 'all':
      return sql`true`;
    case 'user':
    case 'owner':
      return sql`${sql.raw(column)} = ${tenant.userId}`;
    case 'client':
      return sql`false`;
  }
}

/** Rows of clients `c` that the tenant sees. */
export function clientsOf(tenant: Tenant): SQL {
  switch (tenant.kind) {
    case 'all':
      return sql`true`;
    case 'user':
    case 'owner':
      return ownedBy('c', tenant);
    case 'client':
      return sql`c.client_id = ${tenant.clientId}`;
  }
}

/** Rows of port_mappings `m` that the tenant sees. */
export function mappingsOf(tenant: Tenant): SQL {
  switch (tenant.kind) {
    case 'all':
      return sql`true`;
    case 'user':
    case 'owner':
      return ownedBy('m', tenant);
    case 'client':
      // An array: `or` with a subquery would be asked of every row of the table.
      return sql`m.mapping_id = any(array(
        select e.mapping_id from endpoint_upstreams e where e.client_id = ${tenant.clientId}
        union all select s.mapping_id from port_mappings s where s.source_client_id = ${tenant.clientId}))`;
  }
}

/** Rows of http_domain_mappings `d` that the tenant sees. */
export function domainsOf(tenant: Tenant): SQL {
  switch (tenant.kind) {
    case 'all':
      return sql`true`;
    case 'user':
    case 'owner':
      return ownedBy('d', tenant);
    case 'client':
      return sql`d.id in (select e.domain_id from endpoint_upstreams e where e.client_id = ${tenant.clientId})`;
  }
}

/**
 * `insert into audit_log` for each row of `from`.
 *
 * @param objectId Expression over `from`; text.
 * @param userId Expression over `from`: the tenant concerned, or null.
 * @param before Expression over `from` (jsonb), in place of what the entry says: for what only the statement knows.
 */
export function insertAudit(
  entry: AuditEntry,
  type: string,
  objectId: SQL,
  userId: SQL,
  from: SQL,
  before: SQL = json(entry.before),
): SQL {
  return sql`
    insert into audit_log (actor_type, actor_id, user_id, action, object_type, object_id, before, after, request_id)
    select ${entry.actorType}::text, ${entry.actorId}::bigint, ${userId}, ${entry.action}::text, ${type}::text,
      ${objectId}, ${before}, ${json(entry.after)}, ${entry.requestId}::text
    from ${from}`;
}

/** `insert into outbox` of a client's change for each row of `from`, which has `client_id` and `config_version`. */
export function insertClientChange(change: string, from: SQL): SQL {
  return sql`
    insert into outbox (kind, version, client_ids, change)
    select 'client_changed', f.config_version, array[f.client_id], ${change}::text from ${from} f
    returning id`;
}

/** Outbox rows that earlier statements of the running transaction have written. */
export const OUTBOX_OF_TRANSACTION = sql`
  select o.id from outbox o where o.delivered_at is null and o.xmin = pg_current_xact_id()::xid`;

/** Runs a list's two statements. @param select Statement without `where`, `order` and `limit`. */
export async function selectPage<Row>(
  postgres: Postgres,
  list: { select: SQL; from: SQL; where: SQL[]; id: SQL },
  page: PageRequest,
): Promise<PageRows<Row>> {
  const where = all(list.where);
  const after = page.after === null ? sql`true` : sql`${list.id} > ${page.after}`;
  const [rows, counts] = await Promise.all([
    postgres.query<Row>(sql`${list.select} from ${list.from} where ${where} and ${after}
      order by ${list.id} limit ${page.limit} offset ${page.offset}`),
    postgres.query<{ total: number }>(sql`select count(*) as total from ${list.from} where ${where}`),
  ]);
  return { rows, total: counts[0]?.total ?? 0 };
}

/** Half a surrogate pair, which `jsonb` refuses, becomes U+FFFD as it does in columns of text. */
export function json(value: unknown): SQL {
  const wellFormed = (_key: string, one: unknown): unknown => (typeof one === 'string' ? one.toWellFormed() : one);
  return sql`${value === null ? null : JSON.stringify(value, wellFormed)}::jsonb`;
}
