import type { ProofCheck } from '@tunnox/domain/api/domains';
import { PROOF_LABEL } from '@tunnox/domain/name-rules';
import type { AuditEntry } from './audit.ts';
import type { CertificateWaker } from './certificate-ports.ts';
import { judgeProof } from './domain-proof.ts';
import type {
  DnsAnswer,
  DnsResolver,
  DomainProofRepository,
  ProofFinding,
  ProvableDomain,
  ProvedHolder,
} from './domain-proof-ports.ts';

export interface ProofLooksDeps {
  proofs: DomainProofRepository;
  resolver: DnsResolver;
  /** A name that was proved may want a certificate. */
  certificates: CertificateWaker;
}

export interface ProofLooksOptions {
  baseDomains: readonly [string, ...string[]];
}

/** What the DNS says at this moment. */
export interface Look {
  answers: { txt: DnsAnswer; cname: DnsAnswer };
  checks: ProofCheck[];
  finding: ProofFinding;
}

export type Settlement =
  | { kind: 'promoted' | 'demoted'; outboxIds: number[] }
  /** Nothing changed. */
  | { kind: 'as_before' }
  /** The proof is there, and somebody has the name whose claim to it stands as well. */
  | { kind: 'held' };

/** Writes the audit line of a proof that was found: in whose name, the caller knows. */
export type AuditProof = (action: string, change: { before: unknown; after: unknown }) => AuditEntry;

/** Rounds of several tenants that take one name from one another. */
const HOLDERS_MAX = 3;

/** Looks for proofs, and what follows from them. */
export class ProofLooks {
  readonly #deps: ProofLooksDeps;
  readonly #baseDomains: readonly [string, ...string[]];

  constructor(deps: ProofLooksDeps, options: ProofLooksOptions) {
    this.#deps = deps;
    this.#baseDomains = options.baseDomains;
  }

  /** @throws {TunnoxError} `unavailable` unless the one answer that came is enough */
  async look(domain: ProvableDomain): Promise<Look> {
    const name = `${PROOF_LABEL}.${domain.fullDomain}`;
    const [txt, cname] = await Promise.allSettled([
      this.#deps.resolver.lookUp(name, 'TXT'),
      this.#deps.resolver.lookUp(name, 'CNAME'),
    ]);
    const answers = { txt: valueOf(txt), cname: valueOf(cname) };
    const checks = judgeProof(domain.fullDomain, domain.token, this.#baseDomains, answers);
    const finding = findingOf(checks);
    const away = [txt, cname].find((one) => one.status === 'rejected');
    if (away !== undefined && finding !== 'found') throw away.reason;
    return { answers, checks, finding };
  }

  /** Makes a proved claim the owner of its name, and a claim of an owner whose proof is gone for good. */
  async settle(domain: ProvableDomain, look: Look, audit: AuditProof): Promise<Settlement> {
    if (domain.state === 'verified') {
      if (look.finding !== 'missing' || !domain.graceOver) return { kind: 'as_before' };
      const outboxIds = await this.#deps.proofs.demote(domain, lost('its proof is missing'));
      return outboxIds.length === 0 ? { kind: 'as_before' } : { kind: 'demoted', outboxIds };
    }
    return look.finding === 'found' ? await this.#promote(domain, look, audit) : { kind: 'as_before' };
  }

  async #promote(domain: ProvableDomain, look: Look, audit: AuditProof): Promise<Settlement> {
    const { fullDomain } = domain;
    const promoted = audit('domain.verify', {
      before: { full_domain: fullDomain, verification_state: 'pending_verification' },
      after: { verification_state: 'verified' },
    });
    const demoted = lost('its proof is gone, and another account has proved the name');
    for (let tries = 1; tries <= HOLDERS_MAX; tries += 1) {
      const holder = await this.#deps.proofs.holder(fullDomain);
      if (holder?.domainId === domain.domainId) return { kind: 'as_before' };
      const replaceable = holder === null ? null : this.#replaceable(holder, fullDomain, look);
      if (holder !== null && replaceable === null) return { kind: 'held' };
      const outcome = await this.#deps.proofs.promote(domain, replaceable, { promoted, demoted });
      switch (outcome.outcome) {
        case 'done':
          await this.#deps.certificates.wake();
          return { kind: 'promoted', outboxIds: outcome.outboxIds };
        case 'gone':
          // Deleted, or verified by another look at this moment.
          return { kind: 'as_before' };
        case 'held':
          continue;
      }
    }
    return { kind: 'held' };
  }

  /**
   * The holder, if its proof is gone; null: the name stays its. The records of all claims stand at one name, so the
   * answers that prove one claim show whether another's proof is still there.
   */
  #replaceable({ domainId, userId, token }: ProvedHolder, fullDomain: string, { answers }: Look) {
    if (userId === null || token === null) return null;
    const finding = findingOf(judgeProof(fullDomain, token, this.#baseDomains, answers));
    return finding === 'missing' ? { domainId, userId, token } : null;
  }
}

/** Of no request: a sweep did it, or somebody else's proof. */
export function systemAudit(action: string, change: { before: unknown; after: unknown }): AuditEntry {
  return { actorType: 'system', actorId: null, requestId: null, action, ...change };
}

function lost(reason: string): AuditEntry {
  return systemAudit('domain.unverify', {
    before: { verification_state: 'verified' },
    after: { verification_state: 'pending_verification', reason },
  });
}

function findingOf(checks: ProofCheck[]): ProofFinding {
  if (checks.some(({ matches }) => matches)) return 'found';
  return checks.some(({ result }) => result === 'failed') ? 'unclear' : 'missing';
}

/** What could not be asked says nothing. */
function valueOf(lookUp: PromiseSettledResult<DnsAnswer>): DnsAnswer {
  return lookUp.status === 'fulfilled' ? lookUp.value : { rcode: 'no answer', chain: [], values: [] };
}
