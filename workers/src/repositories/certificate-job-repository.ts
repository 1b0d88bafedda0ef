import { sql } from 'drizzle-orm';
import type { CertificateJob, CertificateRepository, StepResult } from '../certificates/certificate-ports.ts';
import type { Postgres } from './postgres.ts';
import { json } from './sql-parts.ts';

const JOB = sql.raw(`c.certificate_id as "certificateId", c.names, c.challenge, c.state, c.order_state as "order",
  c.next_key_encrypted as "nextKeyEncrypted", c.chain is not null as "hasChain", c.retry_count as "retryCount"`);
const FREE = sql.raw(`(c.lease_until is null or c.lease_until <= now())`);

/** Certificates that are worked on: a lease each, so that of two Workers one takes the step. */
export function createCertificateJobRepository(postgres: Postgres): CertificateRepository {
  return {
    takeDue: (holder, leaseS, limit) =>
      postgres.query<CertificateJob>(sql`
        update certificates c set lease_holder = ${holder}, lease_until = now() + make_interval(secs => ${leaseS})
        where c.certificate_id in (
          select w.certificate_id from certificates w
          where w.next_attempt_at <= now() and (w.lease_until is null or w.lease_until <= now())
          order by w.next_attempt_at limit ${limit} for update skip locked)
        returning ${JOB}`),

    async take(certificateId, holder, leaseS) {
      const [row] = await postgres.query<CertificateJob>(sql`
        update certificates c set lease_holder = ${holder}, lease_until = now() + make_interval(secs => ${leaseS})
        where c.certificate_id = ${certificateId} and ${FREE} returning ${JOB}`);
      return row ?? null;
    },

    async save(certificateId, holder, result) {
      const rows = await postgres.query(sql`
        update certificates c set ${assignmentsOf(result)}, lease_holder = null, lease_until = null, updated_at = now()
        where c.certificate_id = ${certificateId} and c.lease_holder = ${holder} and c.lease_until > now()
        returning c.certificate_id`);
      return rows.length > 0;
    },
  };
}

function assignmentsOf(result: StepResult) {
  switch (result.kind) {
    case 'going':
      // What is served goes on being served, and is shown as such.
      return sql`state = case when c.chain is null then ${result.state} else 'active' end,
        order_state = ${json(result.order)}, next_key_encrypted = ${result.nextKeyEncrypted},
        next_attempt_at = now() + make_interval(secs => ${result.inS})`;
    case 'issued':
      return sql`state = 'active', chain = ${result.chain}, key_encrypted = c.next_key_encrypted,
        next_key_encrypted = null, order_state = null, not_before = ${result.notBefore.toISOString()}::timestamptz,
        not_after = ${result.notAfter.toISOString()}::timestamptz, retry_count = 0, last_error = null,
        next_attempt_at = ${result.renewAt.toISOString()}::timestamptz, row_version = nextval('row_version_seq')`;
    case 'failed':
      return sql`state = case when c.chain is null or c.not_after <= now() then 'error' else 'active' end,
        order_state = null, next_key_encrypted = null, retry_count = c.retry_count + 1, last_error = ${result.message},
        next_attempt_at = now() + make_interval(secs => ${result.inS})`;
  }
}
