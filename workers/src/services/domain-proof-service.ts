import type { Domain, VerifiedDomain } from '@tunnox/domain/api/domains';
import { PROOF_LABEL } from '@tunnox/domain/name-rules';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { auditOf } from './audit.ts';
import type { DomainRecord, DomainRepository } from './binding-ports.ts';
import type { ChangeTeller } from './change-teller.ts';
import type { DomainProofRepository, ProofSchedule } from './domain-proof-ports.ts';
import type { RatePolicy } from './gcra.ts';
import { type Caller, notFound, requireWrite, tenantOf } from './principal.ts';
import type { ProofLooks } from './proof-looks.ts';
import type { RateLimiter } from './rate-limiter.ts';
import type { SetupLooks } from './setup-looks.ts';

export interface DomainProofServiceDeps {
  domains: Pick<DomainRepository, 'find'>;
  proofs: Pick<DomainProofRepository, 'find' | 'record'>;
  looks: ProofLooks;
  setups: Pick<SetupLooks, 'refresh'>;
  teller: ChangeTeller;
  rateLimiter: RateLimiter;
  /** A domain as its caller sees it. */
  show: (caller: Caller, domainId: number) => Promise<Domain>;
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

/** Looks that a user asks for: each is seven queries at the resolver. */
const VERIFY_RATE: RatePolicy = { name: 'verify', perS: 0.5, burst: 20 };

/** Proofs of custom domains, on request. */
export class DomainProofService {
  readonly #deps: DomainProofServiceDeps;

  constructor(deps: DomainProofServiceDeps) {
    this.#deps = deps;
  }

  /**
   * Looks for the proof now.
   *
   * @throws {TunnoxError} `subdomain_taken` when another tenant's proof stands as well, `rate_limited`, `unavailable`
   *   when the resolver cannot be asked
   */
  async verify(caller: Caller, domainId: number): Promise<VerifiedDomain> {
    const { domains, proofs, looks, show, teller } = this.#deps;
    const record = await domains.find(domainId, tenantOf(caller.principal));
    if (record === null) throw notFound('domain', domainId);
    requireWrite(caller, record);
    const domain = await proofs.find(domainId);
    if (domain === null) {
      if (record.base_domain === null) await this.#refreshSetup(record);
      return { ...(await show(caller, domainId)), delivery: [], checks: [] };
    }
    await this.#requireTries(domain.userId);
    const [look] = await Promise.all([looks.look(domain), this.#refreshSetup(record)]);
    const { checks, finding } = look;
    const settled = await looks.settle(domain, look, (action, change) => auditOf(caller, action, change));
    if ('outboxIds' in settled) {
      const delivery = await teller.untilApplied(settled.outboxIds);
      return { ...(await show(caller, domainId)), delivery, checks };
    }
    await proofs.record([{ domain, finding }]);
    if (settled.kind === 'as_before') return { ...(await show(caller, domainId)), delivery: [], checks };
    throw new TunnoxError(
      'subdomain_taken',
      `${domain.fullDomain} is proved, but another account has it and its proof still stands at ` +
        `${PROOF_LABEL}.${domain.fullDomain}: remove the other record, then verify again`,
      { details: { checks } },
    );
  }

  /** Beside the proof: where nobody can be asked, what was seen last stays. */
  async #refreshSetup({ domain_id: domainId, full_domain: fullDomain }: DomainRecord): Promise<void> {
    try {
      await this.#deps.setups.refresh({ domainId, fullDomain });
    } catch (error) {
      if (!(error instanceof TunnoxError) || error.code !== 'unavailable') throw error;
    }
  }

  async #requireTries(userId: number): Promise<void> {
    const verdict = await this.#deps.rateLimiter.take(`user:${userId}`, VERIFY_RATE);
    if (verdict === null || verdict.allowed) return;
    throw new TunnoxError('rate_limited', 'Too many looks for proofs; the next one comes by itself', {
      retryAfterS: Math.max(1, Math.ceil(verdict.retryAfterMs / 1000)),
    });
  }
}
