import { type SQL, sql } from 'drizzle-orm';
import type { CertificateJob, CertificateJobRepository, StepResult } from '../certificates/certificate-ports.ts';
import type { AuditEntry } from '../services/audit.ts';
import type { Postgres } from './postgres.ts';
import { insertAudit, json } from './sql-parts.ts';

const USER = sql.raw(`(select d.user_id from http_domain_mappings d where d.id = c.domain_id)`);
const JOB = sql`c.certificate_id as "certificateId", c.names, c.base_domain as "baseDomain", ${USER} as "userId",
  c.order_state as "order", c.next_key_encrypted as "nextKeyEncrypted", c.retry_count as "retryCount",
  (extract(epoch from c.created_at) * 1000)::bigint as "createdAtMs"`;

/** Certificates that are worked on: a lease each, so that of two Workers one takes the step. */
export function createCertificateJobRepository(postgres: Postgres): CertificateJobRepository {
  return {
    takeDue: (holder, leaseS, limit) =>
      postgres.query<CertificateJob>(sql`
        update certificates c set lease_holder = ${holder}, lease_until = now() + make_interval(secs => ${leaseS})
        where c.certificate_id in (
          select w.certificate_id from certificates w
          where w.next_attempt_at <= now() and (w.lease_until is null or w.lease_until <= now())
          order by w.next_attempt_at limit ${limit} for update skip locked)
        returning ${JOB}`),

    async save(certificateId, holder, result) {
      const audit = auditOf(result);
      const [row] = await postgres.query<{ version: number }>(sql`
        with changed as (
          update certificates c set ${assignmentsOf(result)}, lease_holder = null, lease_until = null, updated_at = now()
          where c.certificate_id = ${certificateId} and c.lease_holder = ${holder} and c.lease_until > now()
          returning c.certificate_id, c.row_version as version, ${USER} as user_id
        )${
          result.kind === 'issued'
            ? sql`, counted as (
          update certificate_orders o set issued_at = now() from changed where o.order_id = (
            select max(w.order_id) from certificate_orders w where w.certificate_id = changed.certificate_id))`
            : sql``
        }${
          audit === null
            ? sql``
            : sql`, audited as (${insertAudit(audit, 'certificate', sql`changed.certificate_id::text`, sql`changed.user_id`, sql`changed`)})`
        }
        select version from changed`);
      return row?.version ?? null;
    },

    async nextDueAtMs() {
      const [row] = await postgres.query<{ at: number | null }>(sql`
        select (extract(epoch from min(greatest(c.next_attempt_at, c.lease_until))) * 1000)::bigint as at
        from certificates c where c.next_attempt_at is not null`);
      return row?.at ?? null;
    },
  };
}

function assignmentsOf(result: StepResult): SQL {
  switch (result.kind) {
    case 'going':
      // What is served goes on being served, and is shown as such.
      return sql`state = case when c.chain is null then ${result.state} else 'active' end,
        challenge = ${result.order.place.challenge}, order_state = ${json(result.order)},
        next_key_encrypted = ${result.nextKeyEncrypted}, last_error = ${result.message ?? null},
        next_attempt_at = now() + make_interval(secs => ${result.inS})`;
    case 'issued':
      return sql`state = 'active', chain = ${result.chain}, key_encrypted = c.next_key_encrypted,
        next_key_encrypted = null, order_state = null, not_before = ${result.notBefore.toISOString()}::timestamptz,
        not_after = ${result.notAfter.toISOString()}::timestamptz, retry_count = 0, last_error = null,
        next_attempt_at = ${result.renewAt.toISOString()}::timestamptz, row_version = nextval('row_version_seq')`;
    case 'held':
      return sql`state = case when c.chain is null then 'pending' when c.not_after <= now() then 'error' else 'active' end,
        order_state = null, next_key_encrypted = null, last_error = ${result.message},
        next_attempt_at = now() + make_interval(secs => ${result.inS})`;
    case 'failed':
      return sql`state = case when c.chain is null or c.not_after <= now() then 'error' else 'active' end,
        order_state = null, next_key_encrypted = null, retry_count = c.retry_count + 1, last_error = ${result.message},
        next_attempt_at = now() + make_interval(secs => ${result.inS})`;
  }
}

/** What became of an order; the steps on the way change nothing that anybody must answer for. */
function auditOf(result: StepResult): AuditEntry | null {
  const bySystem = { actorType: 'system', actorId: null, requestId: null, before: null } as const;
  switch (result.kind) {
    case 'issued': {
      const after = { not_before: result.notBefore.toISOString(), not_after: result.notAfter.toISOString() };
      return { ...bySystem, action: 'certificate.issue', after };
    }
    case 'failed':
      return { ...bySystem, action: 'certificate.fail', after: { error: result.message } };
    case 'going':
    case 'held':
      return null;
  }
}
