import { sql } from 'drizzle-orm';
import type { NamespaceContents, NamespaceRepository, NamespaceRow } from '../services/namespace-ports.ts';
import { FOREIGN_KEY_VIOLATION, type Postgres, PostgresError, UNIQUE_VIOLATION } from './postgres.ts';
import { array, insertAudit, lockOwner, moment, selectPage } from './sql-parts.ts';
import { createMembers, lockNamespace } from './namespace-members.ts';
import { transactionIf } from './transaction-if.ts';

const SELECT_NAMESPACE = sql`select n.namespace_id, n.user_id, n.name, n.row_version as version,
  (select count(*) from memberships s where s.namespace_id = n.namespace_id) as members,
  (select count(*) from clients c where c.namespace_id = n.namespace_id) as clients,
  (select count(*) from port_mappings m where m.namespace_id = n.namespace_id)
    + (select count(*) from http_domain_mappings d where d.namespace_id = n.namespace_id) as mappings,
  ${moment('n.created_at')} as created_at, ${moment('n.updated_at')} as updated_at`;

/** Teams and their members. */
export function createNamespaceRepository(postgres: Postgres): NamespaceRepository {
  return {
    async create(userId, name, namespacesMax, audit) {
      const made = await unlessTaken(() =>
        postgres.transaction<{ namespace_id: number | null; current: number }>(
          lockOwner(userId, null),
          sql`
          with owner as (
            select u.user_id, (select count(*) from namespaces o where o.user_id = u.user_id) as current
            from users u where u.user_id = ${userId} and u.status = 'active'
          ), made as (
            insert into namespaces (user_id, name)
            select user_id, ${name} from owner where current < ${namespacesMax} returning namespace_id, user_id
          ), joined as (
            insert into memberships (namespace_id, user_id, role) select namespace_id, user_id, 'owner' from made
          ), audited as (${insertAudit(audit, 'namespace', sql`made.namespace_id::text`, sql`made.user_id`, sql`made`)})
          select made.namespace_id, owner.current from owner left join made on true`,
        ),
      );
      if (made === null) return { outcome: 'name_taken' };
      const [row] = made;
      if (row === undefined) return { outcome: 'no_user' };
      if (row.namespace_id === null) return { outcome: 'over_quota', limit: namespacesMax, current: row.current };
      return { outcome: 'done', namespaceId: row.namespace_id };
    },

    async find(namespaceId) {
      const [row] = await postgres.query<NamespaceRow>(
        sql`${SELECT_NAMESPACE} from namespaces n where n.namespace_id = ${namespaceId}`,
      );
      return row ?? null;
    },

    list: ({ ids, userId }, page) =>
      selectPage<NamespaceRow>(
        postgres,
        {
          select: SELECT_NAMESPACE,
          from: sql`namespaces n`,
          where: [
            ids === undefined ? sql`true` : sql`n.namespace_id = any(${array(ids, 'bigint')})`,
            userId === undefined ? sql`true` : sql`n.user_id = ${userId}`,
          ],
          id: sql`n.namespace_id`,
        },
        page,
      ),

    async rename(namespaceId, name, audit, ifVersion) {
      const rows = await unlessTaken(() =>
        transactionIf<{ namespace_id: number }>(
          postgres,
          lockNamespace(namespaceId),
          { table: 'namespaces', id: namespaceId, ifVersion },
          sql`
          with n as (
            update namespaces set name = ${name}, row_version = row_version + 1, updated_at = now()
            where namespace_id = ${namespaceId} returning namespace_id, user_id
          ), audited as (${insertAudit(audit, 'namespace', sql`n.namespace_id::text`, sql`n.user_id`, sql`n`)})
          select namespace_id from n`,
        ),
      );
      if (rows === null) return 'name_taken';
      return rows.length === 0 ? 'no_namespace' : 'done';
    },

    async remove(namespaceId, audit, ifVersion) {
      const contents = sql`
        select (select count(*) from clients c where c.namespace_id = ${namespaceId}) as clients,
          (select count(*) from port_mappings m where m.namespace_id = ${namespaceId}) as mappings,
          (select count(*) from http_domain_mappings d where d.namespace_id = ${namespaceId}) as domains`;
      try {
        const [row] = await transactionIf<NamespaceContents & { gone: boolean | null }>(
          postgres,
          lockNamespace(namespaceId),
          { table: 'namespaces', id: namespaceId, ifVersion },
          sql`
          with contents as (${contents}),
          gone as (
            delete from namespaces n using contents x
            where n.namespace_id = ${namespaceId} and x.clients + x.mappings + x.domains = 0
            returning n.namespace_id, n.user_id
          ), audited as (${insertAudit(audit, 'namespace', sql`gone.namespace_id::text`, sql`gone.user_id`, sql`gone`)})
          select x.*, (select true from gone) as gone from contents x`,
        );
        if (row === undefined) return { outcome: 'no_namespace' };
        const { clients, mappings, domains, gone } = row;
        if (clients + mappings + domains > 0) return { outcome: 'not_empty', clients, mappings, domains };
        return { outcome: gone === true ? 'done' : 'no_namespace' };
      } catch (error) {
        // Something was put into it at this moment.
        if (!(error instanceof PostgresError) || error.sqlState !== FOREIGN_KEY_VIOLATION) throw error;
        const [row] = await postgres.query<NamespaceContents>(contents);
        return { outcome: 'not_empty', ...(row ?? { clients: 0, mappings: 0, domains: 0 }) };
      }
    },

    ...createMembers(postgres),
  };
}

/** null: another team of the owner has the name. */
async function unlessTaken<Row>(work: () => Promise<Row[]>): Promise<Row[] | null> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof PostgresError && error.sqlState === UNIQUE_VIOLATION) return null;
    throw error;
  }
}
