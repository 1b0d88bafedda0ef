import { type SQL, sql } from 'drizzle-orm';
import type {
  CertificateFilter,
  CertificateRepository,
  CertificateRow,
  StoredCertificate,
} from '../services/certificate-ports.ts';
import type { Tenant } from '../services/principal.ts';
import type { Postgres } from './postgres.ts';
import { domainsOf, insertAudit, moment, selectPage } from './sql-parts.ts';

const SELECT = sql`select c.certificate_id, c.names, c.base_domain, c.domain_id, c.state, c.challenge,
  ${moment('c.not_before')} as not_before, ${moment('c.not_after')} as not_after,
  ${moment('c.next_attempt_at')} as next_attempt_at, c.retry_count, c.last_error, ${moment('c.created_at')} as created_at,
  ${moment('c.updated_at')} as updated_at, c.row_version as certificate_version, d.namespace_id`;
const FROM = sql`certificates c left join http_domain_mappings d on d.id = c.domain_id`;

/** A statement runs for seconds; a version that is older has no earlier one still to come. */
const SETTLED_S = 60;

/** Certificates as the API shows them, and as relays are given them. */
export function createCertificateRepository(postgres: Postgres): CertificateRepository {
  return {
    async find(certificateId, tenant) {
      const [row] = await postgres.query<CertificateRow>(
        sql`${SELECT} from ${FROM} where c.certificate_id = ${certificateId} and ${certificatesOf(tenant)}`,
      );
      return row ?? null;
    },

    list: (filter, tenant, page) =>
      selectPage<CertificateRow>(
        postgres,
        {
          ...{ select: SELECT, from: FROM, id: sql`c.certificate_id` },
          where: [certificatesOf(tenant), ...conditionsOf(filter)],
        },
        page,
      ),

    async renew(certificateId, audit) {
      const rows = await postgres.query(sql`
        with changed as (
          update certificates c set next_attempt_at = least(c.next_attempt_at, now()), updated_at = now(),
            retry_count = 0, last_error = null
          where c.certificate_id = ${certificateId} and c.removed_at is null
          returning c.certificate_id, (select d.user_id from http_domain_mappings d where d.id = c.domain_id) as user_id
        ), audited as (${insertAudit(audit, 'certificate', sql`changed.certificate_id::text`, sql`changed.user_id`, sql`changed`)})
        select certificate_id from changed`);
      return rows.length > 0;
    },

    since: (version, limit) =>
      postgres.query<StoredCertificate>(sql`
        select c.certificate_id as "certificateId", c.row_version as version, c.names, c.chain,
          c.key_encrypted as "keyEncrypted", c.updated_at < now() - make_interval(secs => ${SETTLED_S}) as settled
        from certificates c
        where c.row_version > ${version} and (c.chain is not null or c.removed_at is not null)
        order by c.row_version limit ${limit}`),

    async keyAuthorization(token, host) {
      const [row] = await postgres.query<{ text: string }>(sql`
        select key_authorization as text from acme_http_tokens
        where token = ${token} and host = ${host} and expires_at > now()`);
      return row?.text ?? null;
    },
  };
}

/** A tenant sees those of its custom domains; those of base domains are the operators'. */
function certificatesOf(tenant: Tenant): SQL {
  const present = sql`c.removed_at is null`;
  return tenant.kind === 'all' ? present : sql`${present} and d.id is not null and ${domainsOf(tenant)}`;
}

function conditionsOf({ state, domain_id, name }: CertificateFilter): SQL[] {
  return [
    ...(state === undefined ? [] : [sql`c.state = ${state}`]),
    ...(domain_id === undefined ? [] : [sql`c.domain_id = ${domain_id}`]),
    ...(name === undefined ? [] : [sql`${name.toLowerCase()} = any(c.names)`]),
  ];
}
