import { type SQL, sql } from 'drizzle-orm';
import type { AuditEntry } from '../services/audit.ts';
import type {
  DomainProofRepository,
  PromoteOutcome,
  ProofSchedule,
  ProvableDomain,
  ProvedHolder,
} from '../services/domain-proof-ports.ts';
import { bumpClients, insertBindingChange } from './binding-change-sql.ts';
import { type Postgres, PostgresError, UNIQUE_VIOLATION } from './postgres.ts';
import { endUnprovedRoutes } from './route-end-sql.ts';
import { array, insertAudit, lockOwner, OUTBOX_OF_TRANSACTION } from './sql-parts.ts';

/** Proofs of custom domains. What relays and agents must hear of goes through the outbox, as every change. */
export function createDomainProofRepository(postgres: Postgres, schedule: ProofSchedule): DomainProofRepository {
  const seconds = (value: SQL | number): SQL => sql`make_interval(secs => ${value})`;
  const provable = sql`d.id as "domainId", d.user_id as "userId", d.full_domain as "fullDomain", d.proof_token as token,
    d.verification_state as state,
    coalesce(d.proof_missing_since <= now() - ${seconds(schedule.graceS)}, false) as "graceOver"`;
  /** What pending claims wait since. */
  const since = sql`greatest(d.created_at, d.proof_missing_since)`;
  /** The looks of different domains do not come all at once. */
  const daily = sql`now() + ${seconds(sql`${schedule.verifiedS} - ${schedule.spreadS} * (d.id % 1009) / 1009.0`)}`;
  const changed = (deleted: boolean): SQL => sql`d.id, d.user_id, 'domain:' || d.id as binding_id,
    d.full_domain as endpoint, d.row_version as version, ${sql.raw(String(deleted))} as deleted,
    array(select e.client_id from endpoint_upstreams e where e.domain_id = d.id) as client_ids`;

  /** One statement: the row loses its name and is a claim again, under a version of its own. */
  function demotion(domainId: number, token: string, condition: SQL, audit: AuditEntry): SQL {
    return sql`
      with changed as (
        update http_domain_mappings d set verification_state = 'pending_verification', proof_checked_at = now(),
          proof_missing_since = coalesce(d.proof_missing_since, now()), proof_due_at = now() + ${seconds(schedule.pendingMinS)},
          row_version = nextval('row_version_seq'), updated_at = now()
        where d.id = ${domainId} and d.proof_token = ${token} and d.verification_state = 'verified' and ${condition}
        returning ${changed(true)}
      ), ${bumpClients(sql`changed`)},
      told as (${insertBindingChange(sql`changed`)}),
      audited as (${insertAudit(audit, 'domain', sql`changed.id::text`, sql`changed.user_id`, sql`changed`)})
      select id from told`;
  }

  return {
    async find(domainId) {
      const [row] = await postgres.query<ProvableDomain>(sql`
        select ${provable} from http_domain_mappings d where d.id = ${domainId} and d.proof_token is not null`);
      return row ?? null;
    },

    claimDue: (limit, leaseS) =>
      postgres.query<ProvableDomain>(sql`
        with due as (
          select id from http_domain_mappings where proof_token is not null and proof_due_at <= now()
          order by proof_due_at limit ${limit} for update skip locked
        )
        update http_domain_mappings d set proof_due_at = now() + ${seconds(leaseS)} from due where d.id = due.id
        returning ${provable}`),

    async record(looks) {
      if (looks.length === 0) return;
      const { missingS, pendingMinS, pendingMaxS, pendingLifeS } = schedule;
      const ids = array(
        looks.map(({ domain }) => domain.domainId),
        'bigint',
      );
      const findings = array(
        looks.map(({ finding }) => finding),
        'text',
      );
      await postgres.query(sql`
        update http_domain_mappings d set proof_checked_at = now(),
          proof_missing_since = case when d.verification_state <> 'verified' or look.finding = 'unclear' then d.proof_missing_since
            when look.finding = 'missing' then coalesce(d.proof_missing_since, now()) end,
          proof_due_at = case
            when d.verification_state = 'verified' then
              case when look.finding = 'found' then ${daily} else now() + ${seconds(missingS)} end
            when now() < ${since} + ${seconds(pendingLifeS)} then
              now() + ${seconds(sql`greatest(${pendingMinS}, least(${pendingMaxS}, extract(epoch from now() - ${since}) / 4))`)} end
        from unnest(${ids}, ${findings}) look (id, finding)
        where d.id = look.id and d.proof_token is not null`);
    },

    async postpone(domainIds, delayS) {
      if (domainIds.length === 0) return;
      await postgres.query(sql`update http_domain_mappings set proof_due_at = now() + ${seconds(delayS)}
        where id = any(${array(domainIds, 'bigint')})`);
    },

    async holder(fullDomain) {
      const [row] = await postgres.query<ProvedHolder>(sql`
        select d.id as "domainId", d.user_id as "userId", d.proof_token as token from http_domain_mappings d
        where d.full_domain = ${fullDomain} and d.verification_state = 'verified'`);
      return row ?? null;
    },

    async promote(domain, instead, audits): Promise<PromoteOutcome> {
      const owners = [domain.userId, ...(instead === null ? [] : [instead.userId])];
      const lock = sql`select user_id from users where user_id = any(${array(owners, 'bigint')})
        order by user_id for no key update`;
      const isClaim = sql`exists (select from http_domain_mappings n
        where n.id = ${domain.domainId} and n.verification_state = 'pending_verification')`;
      const promotion = sql`
        with changed as (
          update http_domain_mappings d set verification_state = 'verified', verified_at = now(), proof_checked_at = now(),
            proof_missing_since = null, proof_due_at = ${daily}, row_version = nextval('row_version_seq'), updated_at = now()
          where d.id = ${domain.domainId} and d.proof_token = ${domain.token} and d.verification_state = 'pending_verification'
          returning ${changed(false)}
        ), ${bumpClients(sql`changed`)},
        told as (${insertBindingChange(sql`changed`)}),
        audited as (${insertAudit(audits.promoted, 'domain', sql`changed.id::text`, sql`changed.user_id`, sql`changed`)})
        select id from told union all ${OUTBOX_OF_TRANSACTION}`;
      try {
        const rows = await postgres.transaction<{ id: number }>(
          lock,
          ...(instead === null
            ? []
            : [
                demotion(instead.domainId, instead.token, isClaim, audits.demoted),
                endUnprovedRoutes(domain.fullDomain, instead.userId),
              ]),
          promotion,
        );
        return rows.length === 0 ? { outcome: 'gone' } : { outcome: 'done', outboxIds: rows.map(({ id }) => id) };
      } catch (error) {
        if (error instanceof PostgresError && error.sqlState === UNIQUE_VIOLATION) return { outcome: 'held' };
        throw error;
      }
    },

    async demote(domain, audit) {
      const stillGone = sql`d.proof_missing_since <= now() - ${seconds(schedule.graceS)}`;
      const rows = await postgres.transaction<{ id: number }>(
        lockOwner(domain.userId, null),
        demotion(domain.domainId, domain.token, stillGone, audit),
        endUnprovedRoutes(domain.fullDomain, domain.userId),
        OUTBOX_OF_TRANSACTION,
      );
      return rows.map(({ id }) => id);
    },
  };
}
