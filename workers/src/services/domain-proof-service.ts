import type { Domain, ProofCheck, VerifiedDomain } from '@tunnox/domain/api/domains';
import { PROOF_LABEL } from '@tunnox/domain/name-rules';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { type AuditEntry, auditOf } from './audit.ts';
import type { DomainRepository } from './binding-ports.ts';
import type { ChangeTeller } from './change-teller.ts';
import { judgeProof } from './domain-proof.ts';
import type {
  DnsAnswer,
  DnsResolver,
  DomainProofRepository,
  ProofFinding,
  ProofLook,
  ProofSchedule,
  ProvableDomain,
} from './domain-proof-ports.ts';
import type { RatePolicy } from './gcra.ts';
import type { Log } from './node-ports.ts';
import { type Caller, notFound, requireWrite, tenantOf } from './principal.ts';
import type { RateLimiter } from './rate-limiter.ts';

export interface DomainProofServiceDeps {
  domains: Pick<DomainRepository, 'find'>;
  proofs: DomainProofRepository;
  resolver: DnsResolver;
  teller: ChangeTeller;
  rateLimiter: RateLimiter;
  log: Log;
  /** A domain as its caller sees it. */
  show: (caller: Caller, domainId: number) => Promise<Domain>;
}

export interface DomainProofOptions {
  baseDomains: readonly [string, ...string[]];
}

const HOUR_S = 3600;
const DAY_S = 24 * HOUR_S;

export const PROOF_SCHEDULE: ProofSchedule = {
  verifiedS: DAY_S,
  spreadS: 4 * HOUR_S,
  missingS: HOUR_S,
  // Longer than a weekend's mistake in the DNS, shorter than anybody else needs to abuse a name.
  graceS: 72 * HOUR_S,
  pendingMinS: 60,
  pendingMaxS: 6 * HOUR_S,
  pendingLifeS: 7 * DAY_S,
};

/** Looks that a user asks for: each is two queries at the resolver. */
const VERIFY_RATE: RatePolicy = { name: 'verify', perS: 0.5, burst: 20 };

/** Domains that a sweep takes at once, and how often; two queries each stay below what a Worker may send in one run. */
const BATCH = 50;
const BATCHES_MAX = 4;
/** As many connections as a Worker has at once. */
const LOOKS_AT_ONCE = 3;
/** Longer than a batch takes at a resolver that times out each time. */
const LEASE_S = 300;
/** So many looks in a row for which nobody could be asked end a sweep … */
const AWAY_MAX = 3;
/** … and their domains wait for this. */
const AWAY_RETRY_S = 300;

/** Rounds of two tenants that prove one name in turns. */
const HOLDERS_MAX = 3;

interface Answers {
  txt: DnsAnswer;
  cname: DnsAnswer;
}

type Settlement =
  | { kind: 'promoted' | 'demoted'; outboxIds: number[] }
  /** Nothing changed but when the next look is due. */
  | { kind: 'recorded' }
  /** The proof is there, and another tenant has the name and its own proof, too. */
  | { kind: 'held' };

/** Proofs of custom domains: on request, and by themselves with time. */
export class DomainProofService {
  readonly #deps: DomainProofServiceDeps;
  readonly #baseDomains: readonly [string, ...string[]];

  constructor(deps: DomainProofServiceDeps, options: DomainProofOptions) {
    this.#deps = deps;
    this.#baseDomains = options.baseDomains;
  }

  /**
   * Looks for the proof now.
   *
   * @throws {TunnoxError} `subdomain_taken` when another tenant's proof stands as well, `rate_limited`, `unavailable`
   *   when the resolver cannot be asked
   */
  async verify(caller: Caller, domainId: number): Promise<VerifiedDomain> {
    const { domains, proofs, show, teller } = this.#deps;
    const record = await domains.find(domainId, tenantOf(caller.principal));
    if (record === null) throw notFound('domain', domainId);
    requireWrite(caller, record);
    const domain = await proofs.find(domainId);
    if (domain === null) return { ...(await show(caller, domainId)), delivery: [], checks: [] };
    await this.#requireTries(domain.userId);
    const answers = await this.#ask(domain);
    const checks = this.#judge(domain, answers);
    const settled = await this.#settle(domain, answers, (action, change) => auditOf(caller, action, change));
    if (settled.kind === 'held' || settled.kind === 'recorded') {
      await proofs.record([{ domain, finding: findingOf(checks) }]);
    }
    if (settled.kind === 'held') {
      throw new TunnoxError(
        'subdomain_taken',
        `${domain.fullDomain} is proved, but another account has it and its proof still stands at ` +
          `${PROOF_LABEL}.${domain.fullDomain}: remove the other record, then verify again`,
        { details: { checks } },
      );
    }
    const delivery = 'outboxIds' in settled ? await teller.untilApplied(settled.outboxIds) : [];
    return { ...(await show(caller, domainId)), delivery, checks };
  }

  /** Looks at those whose time has come. */
  async sweep(): Promise<void> {
    for (let batch = 0; batch < BATCHES_MAX; batch += 1) {
      const due = await this.#deps.proofs.claimDue(BATCH, LEASE_S);
      const asked = await this.#sweepBatch(due);
      if (!asked || due.length < BATCH) return;
    }
  }

  /** @returns false: the resolver is away. */
  async #sweepBatch(due: ProvableDomain[]): Promise<boolean> {
    const looks: ProofLook[] = [];
    const failed: number[] = [];
    const left = [...due];
    let awayInARow = 0;
    const work = async (): Promise<void> => {
      for (let domain = left.shift(); domain !== undefined; domain = left.shift()) {
        if (awayInARow >= AWAY_MAX) {
          failed.push(domain.domainId);
          continue;
        }
        try {
          const answers = await this.#ask(domain);
          awayInARow = 0;
          const settled = await this.#settle(domain, answers, systemAudit);
          if ('outboxIds' in settled) await this.#deps.teller.onItsWay(settled.outboxIds);
          else looks.push({ domain, finding: findingOf(this.#judge(domain, answers)) });
        } catch (error) {
          awayInARow += 1;
          failed.push(domain.domainId);
          this.#deps.log.warn({ err: String(error), domain_id: domain.domainId }, 'A proof could not be looked for');
        }
      }
    };
    await Promise.all(Array.from({ length: LOOKS_AT_ONCE }, work));
    await this.#deps.proofs.record(looks);
    await this.#deps.proofs.postpone(failed, AWAY_RETRY_S);
    return awayInARow < AWAY_MAX;
  }

  /** Draws the consequences of a look. */
  async #settle(
    domain: ProvableDomain,
    answers: Answers,
    audit: (action: string, change: { before: unknown; after: unknown }) => AuditEntry,
  ): Promise<Settlement> {
    const { proofs } = this.#deps;
    const finding = findingOf(this.#judge(domain, answers));
    if (domain.state === 'verified') {
      if (finding !== 'missing' || !domain.graceOver) return { kind: 'recorded' };
      const outboxIds = await proofs.demote(domain, lost('its proof is missing'));
      return outboxIds.length === 0 ? { kind: 'recorded' } : { kind: 'demoted', outboxIds };
    }
    if (finding !== 'found') return { kind: 'recorded' };
    for (let tries = 1; tries <= HOLDERS_MAX; tries += 1) {
      const holder = await proofs.holder(domain.fullDomain);
      // The records of both stand at one name, so the answers that prove the one show whether the other is there still.
      const isProved =
        holder !== null &&
        (holder.token === null ||
          holder.userId === null ||
          findingOf(this.#judge({ fullDomain: domain.fullDomain, token: holder.token }, answers)) !== 'missing');
      if (isProved) return holder.domainId === domain.domainId ? { kind: 'recorded' } : { kind: 'held' };
      const { domainId, userId, token } = holder ?? {};
      const instead =
        domainId === undefined || typeof userId !== 'number' || typeof token !== 'string'
          ? null
          : { domainId, userId, token };
      const promoted = audit('domain.verify', {
        before: { full_domain: domain.fullDomain, verification_state: 'pending_verification' },
        after: { verification_state: 'verified' },
      });
      const demoted = lost('its proof is gone, and another account has proved the name');
      const outcome = await proofs.promote(domain, instead, { promoted, demoted });
      switch (outcome.outcome) {
        case 'done':
          return { kind: 'promoted', outboxIds: outcome.outboxIds };
        case 'gone':
          // Deleted, or verified by somebody else's look at this moment.
          return { kind: 'recorded' };
        case 'held':
          continue;
      }
    }
    return { kind: 'held' };
  }

  /** @throws {TunnoxError} `unavailable` unless the one answer that came is enough */
  async #ask(domain: ProvableDomain): Promise<Answers> {
    const name = `${PROOF_LABEL}.${domain.fullDomain}`;
    const [txt, cname] = await Promise.allSettled([
      this.#deps.resolver.lookUp(name, 'TXT'),
      this.#deps.resolver.lookUp(name, 'CNAME'),
    ]);
    const answers = { txt: valueOf(txt), cname: valueOf(cname) };
    const away = [txt, cname].find((one) => one.status === 'rejected');
    if (away !== undefined && findingOf(this.#judge(domain, answers)) !== 'found') throw away.reason;
    return answers;
  }

  #judge({ fullDomain, token }: { fullDomain: string; token: string }, answers: Answers): ProofCheck[] {
    return judgeProof(fullDomain, token, this.#baseDomains, answers);
  }

  async #requireTries(userId: number): Promise<void> {
    const verdict = await this.#deps.rateLimiter.take(`user:${userId}`, VERIFY_RATE);
    if (verdict === null || verdict.allowed) return;
    throw new TunnoxError('rate_limited', 'Too many looks for proofs; the next one comes by itself', {
      retryAfterS: Math.max(1, Math.ceil(verdict.retryAfterMs / 1000)),
    });
  }
}

function findingOf(checks: ProofCheck[]): ProofFinding {
  if (checks.some(({ matches }) => matches)) return 'found';
  return checks.some(({ result }) => result === 'failed') ? 'unclear' : 'missing';
}

/** What could not be asked says nothing. */
function valueOf(lookUp: PromiseSettledResult<DnsAnswer>): DnsAnswer {
  return lookUp.status === 'fulfilled' ? lookUp.value : { rcode: 'no answer', chain: [], values: [] };
}

/** Nobody's request took the name away. */
function lost(reason: string): AuditEntry {
  return systemAudit('domain.unverify', {
    before: { verification_state: 'verified' },
    after: { verification_state: 'pending_verification', reason },
  });
}

function systemAudit(action: string, change: { before: unknown; after: unknown }): AuditEntry {
  return { actorType: 'system', actorId: null, requestId: null, action, ...change };
}
