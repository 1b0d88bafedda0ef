import type { Domain, DomainSetup, SetupStep } from '@tunnox/domain/api/domains';
import { acmeDelegation } from './acme-delegation.ts';
import type { SetupSeen } from './domain-setup-ports.ts';

/** What is known of a custom domain, and of its tenant's zone and certificate. */
export interface SetupFacts {
  fullDomain: string;
  verificationState: Domain['verification_state'];
  proofs: Domain['proofs'];
  proofMissingSince: string | null;
  tlsMode: Domain['tls_mode'];
  /** null: nobody has looked yet. */
  seen: SetupSeen | null;
  /** Its tenant has connected a zone in which it lies: records are made there by themselves. */
  zoneConnected: boolean;
  /** It is the zone itself, which cannot be an alias. */
  isApex: boolean;
  relayAddresses: string[];
  /** null: none was asked for yet. */
  certificate: { state: string; notAfter: string | null; lastError: string | null } | null;
}

/** Of them, what is stored beside the domain itself. */
export type StoredSetupFacts = Pick<SetupFacts, 'seen' | 'zoneConnected' | 'isApex' | 'relayAddresses' | 'certificate'>;

type Todo = SetupStep['todo'];

/** What a custom domain has of what it needs, and what is to be done about the rest. @param target Where it shall lead. */
export function setupOf(
  facts: SetupFacts,
  { target, baseDomain }: { target: string; baseDomain: string },
): DomainSetup {
  return {
    checked_at: facts.seen?.checkedAt ?? null,
    ownership: ownershipOf(facts),
    dns: dnsOf(facts, target),
    challenge: challengeOf(facts, baseDomain),
    certificate: certificateOf(facts),
  };
}

function ownershipOf({
  fullDomain,
  verificationState,
  proofs,
  proofMissingSince,
  zoneConnected,
}: SetupFacts): SetupStep {
  if (verificationState === 'verified') {
    if (proofMissingSince === null) return done(`${fullDomain} is yours`);
    return step('problem', `The proof that ${fullDomain} is yours is missing since ${proofMissingSince}`, proofs);
  }
  if (zoneConnected) return step('waiting', `The proof is made in the zone that you have connected`, proofs);
  return step('todo', `Prove that ${fullDomain} is yours: one of these records is enough`, proofs);
}

function dnsOf({ fullDomain, seen, zoneConnected, isApex, relayAddresses }: SetupFacts, target: string): SetupStep {
  const todo: Todo = [
    ...(isApex ? [] : [{ type: 'CNAME' as const, name: fullDomain, value: target }]),
    ...relayAddresses.map((value) => ({
      ...{ type: value.includes(':') ? ('AAAA' as const) : ('A' as const), name: fullDomain, value },
    })),
  ];
  const how = isApex ? 'all of these addresses' : 'the CNAME record, or else all of these addresses';
  if (seen === null) return step('waiting', `Nobody has looked yet whether ${fullDomain} leads here`, todo);
  const { finding, found } = seen.dns;
  const open = zoneConnected ? ('waiting' as const) : ('todo' as const);
  const made = zoneConnected ? 'it is made in the zone that you have connected' : `make ${how}`;
  switch (finding) {
    case 'here':
      return done(`${fullDomain} leads to the relays (${found.join(', ')})`);
    case 'missing':
      return step(open, `${fullDomain} leads nowhere: ${made}`, todo);
    case 'partly':
      return step('problem', `Some visitors go elsewhere: ${fullDomain} has ${found.join(', ')}; keep ${how}`, todo);
    case 'elsewhere':
      return step(
        'todo',
        `${fullDomain} leads elsewhere (${found.join(', ')}): make ${how}, in place of what is there`,
        todo,
      );
    case 'failed':
      return step('problem', `The name servers of ${fullDomain} gave no answer: look at its delegation`, todo);
  }
}

function challengeOf({ fullDomain, tlsMode, seen, zoneConnected }: SetupFacts, baseDomain: string): SetupStep {
  if (tlsMode !== 'terminate') return done('No certificate is needed here');
  const delegation: Todo = [acmeDelegation(fullDomain, baseDomain)];
  if (zoneConnected) return done('Proofs for the certificate are written into the zone that you have connected');
  if (seen === null) return step('waiting', 'Nobody has looked yet', delegation);
  if (seen.delegation.delegated) return done(`Proofs for the certificate are left to the platform by DNS`);
  if (seen.dns.finding === 'here') return done('Proofs for the certificate are answered by the relays over HTTP');
  return step(
    'todo',
    `Let ${fullDomain} lead here; or, to have a certificate before that, leave its proofs to the platform by this record`,
    delegation,
  );
}

function certificateOf({ tlsMode, verificationState, certificate }: SetupFacts): SetupStep {
  if (tlsMode === 'off') return done('It is served without TLS');
  if (tlsMode === 'passthrough') return done('Its target has the certificate');
  if (certificate === null) {
    return verificationState === 'verified'
      ? step('waiting', 'No certificate is being obtained yet', [])
      : step('waiting', 'A certificate is obtained once the name is proved', []);
  }
  const { state, notAfter, lastError } = certificate;
  if (notAfter !== null && Date.parse(notAfter) > Date.now()) {
    if (lastError === null) return done(`There is a certificate until ${notAfter}`);
    return step('problem', `The certificate ends ${notAfter}, and the next one cannot be had: ${lastError}`, []);
  }
  if (lastError !== null) return step('problem', `The certificate cannot be had: ${lastError}`, []);
  return step('waiting', `The certificate is being obtained (${state})`, []);
}

function done(detail: string): SetupStep {
  return step('done', detail, []);
}

function step(state: SetupStep['state'], detail: string, todo: Todo): SetupStep {
  return { state, detail, todo };
}
