import type { Domain } from '@tunnox/domain/api/domains';
import type { Presence } from '@tunnox/domain/presence';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import type { DomainOutcome, DomainRecord, NameHolder } from './binding-ports.ts';
import { bindingState } from './binding-state.ts';
import { overQuota } from './client-service.ts';
import { setupOf } from './domain-setup.ts';
import { proofsOf } from './domain-proof.ts';
import { OWNER_RULES } from './owner-rules.ts';
import type { Caller } from './principal.ts';
import { domainUrl, domainUrls, type PublicUrls } from './public-urls.ts';

/** A domain as the API shows it. @param baseDomain Under which proofs by CNAME lie. */
export function toDomain(
  record: DomainRecord,
  { presences, waiting }: { presences: ReadonlyMap<number, Presence>; waiting: ReadonlySet<string> },
  { urls, baseDomain }: { urls: PublicUrls; baseDomain: string },
): Domain {
  const { proof_token, setup_facts, ...rest } = record;
  const { full_domain, tls_mode, verification_state } = record;
  const proofs = proof_token === null ? [] : proofsOf(full_domain, proof_token, baseDomain);
  const waits = waiting.has(`domain:${record.domain_id}`);
  const { status, upstreams, problems } = bindingState(record, presences, waits);
  return {
    ...rest,
    custom: record.base_domain === null,
    setup:
      setup_facts === null
        ? null
        : setupOf(
            {
              ...setup_facts,
              ...{ fullDomain: full_domain, verificationState: verification_state, proofs, tlsMode: tls_mode },
              proofMissingSince: record.proof_missing_since,
            },
            { target: `${OWNER_RULES.targetLabel}.${baseDomain}`, baseDomain },
          ),
    proofs,
    proof: proofs[0] ?? null,
    upstreams,
    problems,
    status: verification_state === 'verified' ? status : verification_state,
    url: domainUrl(urls, full_domain, tls_mode),
    urls: domainUrls(urls, full_domain, tls_mode),
  };
}

/** Whether the name's holder is the caller. */
export function ownsName({ principal }: Caller, holder: NameHolder): boolean {
  switch (principal.role) {
    case 'operator':
      return false;
    case 'user':
      return holder.userId === principal.userId;
    case 'client':
      return holder.userId === null ? holder.clientId === principal.clientId : holder.userId === principal.userId;
  }
}

/**
 * The identity of a domain that was changed.
 *
 * @throws {TunnoxError} `conflict` with `domain_id` when it is the caller's already, `subdomain_taken`, `quota_exceeded`
 */
export function unlessTaken(outcome: DomainOutcome, fullDomain: string): { domainId: number; outboxIds: number[] } {
  switch (outcome.outcome) {
    case 'done':
      return outcome;
    case 'over_quota':
      throw overQuota('mappings and domains', outcome);
    case 'taken':
      throw outcome.domainId === null
        ? new TunnoxError('subdomain_taken', `The name ${fullDomain} is taken`)
        : new TunnoxError('conflict', `The name ${fullDomain} is yours already`, {
            details: { domain_id: outcome.domainId },
          });
    case 'gone':
      throw new TunnoxError('conflict', 'The domain, or its client, was deleted meanwhile');
  }
}
