import { type SQL, sql } from 'drizzle-orm';
import type { ClientRecord, ClientRepository } from '../services/client-ports.ts';
import type { IfVersion } from '../services/if-version.ts';
import { endHandoversTo } from './claim-repository.ts';
import { updateClient } from './client-update-sql.ts';
import { limitsOf } from './limits-sql.ts';
import { ownsNamespace } from './membership-sql.ts';
import type { Postgres } from './postgres.ts';
import { removeClients } from './removal-sql.ts';
import {
  clientsOf,
  insertAudit,
  insertClientChange,
  lockOwner,
  moment,
  OUTBOX_OF_TRANSACTION,
  selectPage,
} from './sql-parts.ts';
import { transactionIf } from './transaction-if.ts';

const STATE = sql`(case when c.lifecycle = 'active' and (u.status <> 'active' or c.suspended_at is not null) then 'disabled'
  else c.lifecycle end)`;
const SELECT_CLIENT = sql`select c.client_id, c.user_id, c.namespace_id, c.name as client_name, c.description as client_desc,
  c.type as client_type, c.config_version, c.config_applied_version, ${STATE} as state,
  c.suspended_reason, c.suspended_at is not null as suspended, c.row_version as version,
  ${moment('c.last_seen_at')} as last_seen_at, ${moment('c.expires_at')} as expires_at,
  ${moment('c.created_at')} as created_at, ${moment('c.updated_at')} as updated_at`;
const FROM = sql`clients c left join users u on u.user_id = c.user_id`;

const WITH_STATUS = {
  active: sql`${STATE} = 'active'`,
  disabled: sql`${STATE} = 'disabled'`,
  claimed: sql`c.lifecycle = 'claimed'`,
  suspended: sql`c.suspended_at is not null`,
};

/** Clients; every change that relays or agents must hear of leaves a row in the outbox. */
export function createClientRepository(postgres: Postgres): ClientRepository {
  async function change(client: ClientRecord, ifVersion: IfVersion, ...statements: [SQL, ...SQL[]]): Promise<number[]> {
    const lock = lockOwner(client.user_id, client.client_id);
    const object = { table: 'clients', id: client.client_id, ifVersion } as const;
    const rows = await transactionIf<{ id: number }>(postgres, lock, object, ...statements);
    return rows.map(({ id }) => id);
  }

  return {
    async create({ userId, namespaceId, name, description, authCodeHash }, audit) {
      const [row] = await postgres.transaction<{ client_id: number | null; limit: number | null; current: number }>(
        lockOwner(userId, null),
        sql`
        with owner as (
          select u.user_id from users u where u.user_id = ${userId} and u.status = 'active' and (${namespaceId}::bigint is null
            or ${ownsNamespace(sql`u.user_id`, namespaceId)})
        ),
        quota as (
          select owner.user_id, l.max_clients as "limit",
            (select count(*) from clients c where c.user_id = owner.user_id) as current
          from owner, (${limitsOf(sql`${userId}`)}) l
        ), made as (
          insert into clients (user_id, namespace_id, type, auth_code_hash, name, description)
          select user_id, ${namespaceId}::bigint, 'managed', ${authCodeHash}, ${name}, ${description} from quota
          where "limit" is null or current < "limit" returning client_id, user_id
        ), audited as (${insertAudit(audit, 'client', sql`made.client_id::text`, sql`made.user_id`, sql`made`)})
        select made.client_id, quota."limit", quota.current from quota left join made on true`,
      );
      if (row === undefined) return { outcome: 'no_user' };
      if (row.client_id === null) return { outcome: 'over_quota', limit: row.limit ?? 0, current: row.current };
      return { outcome: 'done', clientId: row.client_id };
    },

    async find(clientId, tenant) {
      const [row] = await postgres.query<ClientRecord>(
        sql`${SELECT_CLIENT} from ${FROM} where c.client_id = ${clientId} and ${clientsOf(tenant)}`,
      );
      return row ?? null;
    },

    list: ({ userId, namespaceId, type, status, q }, tenant, page) =>
      selectPage<ClientRecord>(
        postgres,
        {
          select: SELECT_CLIENT,
          from: FROM,
          where: [
            clientsOf(tenant),
            userId === undefined ? sql`true` : sql`c.user_id = ${userId}`,
            namespaceId === undefined ? sql`true` : sql`c.namespace_id = ${namespaceId}`,
            type === undefined ? sql`true` : sql`c.type = ${type}`,
            status === undefined ? sql`true` : WITH_STATUS[status],
            q === undefined ? sql`true` : sql`strpos(lower(c.name), lower(${q})) > 0`,
          ],
          id: sql`c.client_id`,
        },
        page,
      ),

    update: (client, update, audit, ifVersion) =>
      change(client, ifVersion, updateClient(client.client_id, update, audit)),

    remove: (client, audit, ifVersion) =>
      change(
        client,
        ifVersion,
        endHandoversTo(sql`${client.client_id}`),
        ...removeClients(sql`select ${client.client_id}::bigint as client_id`),
        sql`
        with changed as (
          delete from clients where client_id = ${client.client_id} returning client_id, user_id, config_version
        ), audited as (${auditClient(audit)}),
        told as (${insertClientChange('deleted', sql`changed`)})
        select id from told union all ${OUTBOX_OF_TRANSACTION}`,
      ),

    rotateCode: (client, authCodeHash, audit, ifVersion) =>
      change(
        client,
        ifVersion,
        // Who rotates takes away what was given out before: also from whoever holds the code of before a claim.
        endHandoversTo(sql`${client.client_id}`),
        sql`
        with changed as (
          update clients set auth_code_hash = ${authCodeHash}, credential_generation = credential_generation + 1,
            row_version = row_version + 1, updated_at = now()
          where client_id = ${client.client_id} returning client_id, user_id, config_version
        ), audited as (${auditClient(audit)})
        ${insertClientChange('rotated', sql`changed`)}`,
      ),

    disconnect: (client, audit, ifVersion) =>
      change(
        client,
        ifVersion,
        sql`
        with changed as (select client_id, user_id, config_version from clients where client_id = ${client.client_id}),
        audited as (${auditClient(audit)})
        ${insertClientChange('disconnected', sql`changed`)}`,
      ),
  };
}

function auditClient(audit: Parameters<typeof insertAudit>[0]): SQL {
  return insertAudit(audit, 'client', sql`changed.client_id::text`, sql`changed.user_id`, sql`changed`);
}
