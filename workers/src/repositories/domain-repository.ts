import { type SQL, sql } from 'drizzle-orm';
import type {
  DomainOutcome,
  DomainRecord,
  DomainRepository,
  NameHolder,
  NewDomain,
  Reservation,
} from '../services/binding-ports.ts';
import { bumpClients, clientIds, insertBindingChange } from './binding-change-sql.ts';
import { problemsOf, upstreamRows } from './binding-state-sql.ts';
import { changedDomain, type DomainMade, insertDomain, TELLABLE } from './domain-insert-sql.ts';
import { endDomainRecords } from './domain-records-sql.ts';
import { awaitHolder, QUARANTINE, quarantineNames, reservationsAgainst } from './quarantine-sql.ts';
import { endedRouteAt } from './route-end-sql.ts';
import { type Postgres, FOREIGN_KEY_VIOLATION, PostgresError } from './postgres.ts';
import { endUnprovedRoutes } from './route-end-sql.ts';
import {
  array,
  assignments,
  domainsOf,
  insertAudit,
  lockOwner,
  moment,
  OUTBOX_OF_TRANSACTION,
  selectPage,
} from './sql-parts.ts';
import { transactionIf } from './transaction-if.ts';
import { allWanted, replaceUpstreams, wantedUpstreams } from './upstream-sql.ts';

/** Of the relays, to whoever wants to make records of them. */
const ADDRESSES_SHOWN = 8;

const SELECT_DOMAIN = sql`select d.id as domain_id, d.user_id, d.namespace_id,
  (select e.client_id from endpoint_upstreams e where e.domain_id = d.id order by e.priority, e.client_id limit 1) as client_id,
  ${upstreamRows(sql.raw('e.domain_id = d.id'))} as upstreams,
  ${problemsOf(
    sql.raw(`'domain:' || d.id`),
    sql.raw(`c.client_id in (
    select e.client_id from endpoint_upstreams e where e.domain_id = d.id)`),
  )} as problems,
  d.full_domain, d.subdomain, d.base_domain, d.verification_state, d.proof_token,
  ${moment('d.verified_at')} as verified_at, ${moment('d.proof_checked_at')} as proof_checked_at,
  ${moment('d.proof_missing_since')} as proof_missing_since,
  case when d.base_domain is null then jsonb_build_object(
    'seen', d.setup,
    'zoneConnected', exists (select from dns_zones z where z.user_id = d.user_id and z.owner_records
      and (z.domain = d.full_domain or d.full_domain like '%.' || z.domain)),
    'isApex', exists (select from dns_zones z where z.user_id = d.user_id and z.domain = d.full_domain),
    'relayAddresses', (select coalesce(jsonb_agg(r.address), '[]') from (
      select distinct a.address from relay_nodes n cross join lateral (values (n.public_ipv4), (n.public_ipv6)) a (address)
      where n.status = 'online' and a.address is not null order by 1 limit ${ADDRESSES_SHOWN}) r),
    'certificate', (select jsonb_build_object('state', c.state, 'notAfter', ${moment('c.not_after')},
        'lastError', c.last_error) from certificates c where c.domain_id = d.id order by c.certificate_id desc limit 1)
  ) end as setup_facts,
  case when d.proof_token is not null then ${moment('d.proof_due_at')} end as proof_due_at,
  d.target_scheme, d.target_host, d.target_port, d.host_header, d.tls_mode, d.status = 'active' as enabled,
  jsonb_build_object('allow', to_jsonb(d.access_allow), 'deny', to_jsonb(d.access_deny)) as access,
  d.total_connections, d.total_bytes_in, d.total_bytes_out, ${moment('d.last_active_at')} as last_active_at,
  ${moment('d.expires_at')} as expires_at, d.row_version as version,
  ${moment('d.created_at')} as created_at, ${moment('d.updated_at')} as updated_at`;

/** HTTP domains; each change raises the versions and leaves a row in the outbox, all in one transaction. */
export function createDomainRepository(postgres: Postgres): DomainRepository {
  async function holder(fullDomain: string): Promise<NameHolder | null> {
    const [row] = await postgres.query<NameHolder>(sql`
      select d.id as "domainId", d.user_id as "userId", (select e.client_id from endpoint_upstreams e
        where e.domain_id = d.id order by e.priority, e.client_id limit 1) as "clientId"
      from http_domain_mappings d where d.full_domain = ${fullDomain} and d.verification_state = 'verified'`);
    return row ?? null;
  }

  async function ownClaim(domain: NewDomain): Promise<number | null> {
    const [row] = await postgres.query<{ id: number }>(sql`
      select id from http_domain_mappings where full_domain = ${domain.fullDomain} and user_id = ${domain.userId}`);
    return row?.id ?? null;
  }

  return {
    async create(domain, audit) {
      const [row] = await goneIfDangling(() =>
        postgres.transaction<DomainMade>(
          lockOwner(domain.userId, domain.clientId),
          awaitHolder(domain.fullDomain),
          endedRouteAt(domain.fullDomain),
          insertDomain(domain, audit),
        ),
      );
      if (row === undefined) return { outcome: 'gone' };
      if (row.domain_id !== null) {
        return { outcome: 'done', domainId: row.domain_id, outboxIds: row.outbox_id === null ? [] : [row.outbox_id] };
      }
      if (!row.complete) return { outcome: 'gone' };
      // The name's state is told first: to put one's own name to use again needs no room.
      const own = domain.userId === null ? null : await ownClaim(domain);
      if (own !== null) return { outcome: 'taken', domainId: own };
      const held = await holder(domain.fullDomain);
      if (held !== null && domain.verified) {
        const ownAnonymous = held.userId === null && domain.userId === null && held.clientId === domain.clientId;
        return { outcome: 'taken', domainId: ownAnonymous ? held.domainId : null };
      }
      if (row.limit !== null && row.current >= row.limit) {
        return { outcome: 'over_quota', limit: row.limit, current: row.current };
      }
      // Its holder has given it up in between, or it is in quarantine.
      return { outcome: 'taken', domainId: null };
    },

    async find(domainId, tenant) {
      const [row] = await postgres.query<DomainRecord>(
        sql`${SELECT_DOMAIN} from http_domain_mappings d where d.id = ${domainId} and ${domainsOf(tenant)}`,
      );
      return row ?? null;
    },

    holder,

    async reservation(fullDomain, subdomain, userId) {
      const [row] = await postgres.query<Reservation>(sql`
        select case when r.reason = ${QUARANTINE} then 'quarantine' else 'reserved' end as reason,
          ${moment('r.until')} as until
        from (${reservationsAgainst(fullDomain, subdomain, userId)}) r
        order by r.until desc nulls first limit 1`);
      return row ?? null;
    },

    list: ({ userId, namespaceId, clientId }, tenant, page) =>
      selectPage<DomainRecord>(
        postgres,
        {
          select: SELECT_DOMAIN,
          from: sql`http_domain_mappings d`,
          where: [
            domainsOf(tenant),
            userId === undefined ? sql`true` : sql`d.user_id = ${userId}`,
            namespaceId === undefined ? sql`true` : sql`d.namespace_id = ${namespaceId}`,
            clientId === undefined ? sql`true` : domainsOf({ kind: 'client', clientId }),
          ],
          id: sql`d.id`,
        },
        page,
      ),

    async update(domain, change, audit, ifVersion): Promise<DomainOutcome> {
      const { domain_id: id, client_id: before } = domain;
      const { upstreams } = change;
      const wanted = wantedUpstreams(upstreams ?? [], { userId: domain.user_id, namespaceId: domain.namespace_id });
      const set = assignments({
        target_scheme: valueOf(change.targetScheme),
        target_host: valueOf(change.targetHost),
        target_port: valueOf(change.targetPort),
        host_header: valueOf(change.hostHeader),
        tls_mode: valueOf(change.tlsMode),
        status: change.enabled === undefined ? undefined : sql`${change.enabled ? 'active' : 'disabled'}`,
        access_allow: change.access === undefined ? undefined : array(change.access.allow, 'text'),
        access_deny: change.access === undefined ? undefined : array(change.access.deny, 'text'),
      });
      const rows = await goneIfDangling(() =>
        transactionIf<{ domain_id: number; outbox_id: number | null }>(
          postgres,
          lockOwner(domain.user_id, before),
          { table: 'http_domain_mappings', id, ifVersion },
          sql`
          with wanted as (${wanted}),
          changed as (
            update http_domain_mappings d set ${sql.join(
              [...set, sql`row_version = nextval('row_version_seq')`, sql`updated_at = now()`],
              sql`, `,
            )}
            where d.id = ${id} and ${allWanted(upstreams ?? [])}
            returning ${changedDomain(false)}, ${concerned(...(upstreams ?? []).map((row) => row.client_id))} as client_ids
          ), ${upstreams === undefined ? sql`` : sql`${replaceUpstreams('domain_id', 'id')},`}
          ${bumpClients(TELLABLE)},
          told as (${insertBindingChange(TELLABLE)}),
          audited as (${insertAudit(audit, 'domain', sql`changed.id::text`, sql`changed.user_id`, sql`changed`)})
          select changed.id as domain_id, told.id as outbox_id from changed left join told on true`,
        ),
      );
      const row = rows[0];
      if (row === undefined) return { outcome: 'gone' };
      return { outcome: 'done', domainId: id, outboxIds: row.outbox_id === null ? [] : [row.outbox_id] };
    },

    async remove(domain, audit, ifVersion) {
      const rows = await transactionIf<{ id: number }>(
        postgres,
        lockOwner(domain.user_id, domain.client_id),
        { table: 'http_domain_mappings', id: domain.domain_id, ifVersion },
        sql`
        with changed as (
          delete from http_domain_mappings d where d.id = ${domain.domain_id}
          returning ${changedDomain(true)}, ${concerned()} as client_ids, d.full_domain, d.base_domain
        ), quarantined as (${quarantineNames(sql`changed`)}),
        unnamed as (${endDomainRecords(sql`changed`)}),
        ${bumpClients(TELLABLE)},
        audited as (${insertAudit(audit, 'domain', sql`changed.id::text`, sql`changed.user_id`, sql`changed`)})
        ${insertBindingChange(TELLABLE)}`,
        ...(domain.base_domain === null && domain.user_id !== null
          ? [endUnprovedRoutes(domain.full_domain, domain.user_id)]
          : []),
        OUTBOX_OF_TRANSACTION,
      );
      return rows.map((row) => row.id);
    },
  };
}

/** Every client that serves `d`, and those that shall serve it. */
function concerned(...wanted: number[]): SQL {
  return sql`array(select e.client_id from endpoint_upstreams e where e.domain_id = d.id
    union select unnest(${clientIds(...wanted)}))`;
}

function valueOf(value: string | number | null | undefined): SQL | undefined {
  return value === undefined ? undefined : sql`${value}`;
}

/** A client that is deleted at the same moment. */
async function goneIfDangling<T>(work: () => Promise<T[]>): Promise<T[]> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof PostgresError && error.sqlState === FOREIGN_KEY_VIOLATION) return [];
    throw error;
  }
}
