import type { AuditEntry } from './audit.ts';

export interface DnsAnswer {
  /** Of the last name that was asked for, such as `NOERROR`, `NXDOMAIN`, `SERVFAIL`. */
  rcode: string;
  /** Names to which the asked one leads by CNAME records, in lower case, in their order. */
  chain: string[];
  /**
   * What stands at the end of the chain: texts of TXT records, one character an octet; addresses; CAA records as
   * `flags tag value`. Empty for CNAME.
   */
  values: string[];
}

export interface DnsResolver {
  /** @throws {TunnoxError} `unavailable` when the resolver itself cannot be asked */
  lookUp(name: string, type: 'A' | 'AAAA' | 'CAA' | 'CNAME' | 'TXT'): Promise<DnsAnswer>;
}

export type ProofState = 'verified' | 'pending_verification';

/** A domain that has something to prove. */
export interface ProvableDomain {
  domainId: number;
  userId: number;
  fullDomain: string;
  token: string;
  state: ProofState;
  /** Whether the proof was missing at every look for so long that the name is given up if it is missing now. */
  graceOver: boolean;
}

/** `unclear`: the name servers of the domain do not answer, which says nothing about the proof. */
export type ProofFinding = 'found' | 'missing' | 'unclear';

export interface ProofLook {
  domain: ProvableDomain;
  finding: ProofFinding;
}

/** Spans of the schedule, in seconds. */
export interface ProofSchedule {
  /** So often a verified domain is looked at, … */
  verifiedS: number;
  /** … spread over so much of it, … */
  spreadS: number;
  /** … and so often while its proof is missing or its name servers do not answer. */
  missingS: number;
  /** A proof that is missing at every look for so long is gone. */
  graceS: number;
  /** A pending one is looked at after this, … */
  pendingMinS: number;
  /** … then at ever longer intervals up to this, … */
  pendingMaxS: number;
  /** … and no more after this. */
  pendingLifeS: number;
}

/** Who has a name, as far as its proof goes. */
export interface ProvedHolder {
  domainId: number;
  userId: number | null;
  /** null: nothing to prove. */
  token: string | null;
}

export type PromoteOutcome =
  | { outcome: 'done'; outboxIds: number[] }
  /** Somebody has the name now. */
  | { outcome: 'held' }
  /** It is no pending claim any more. */
  | { outcome: 'gone' };

export interface DomainProofRepository {
  /** null: no such domain, or nothing to prove. */
  find(domainId: number): Promise<ProvableDomain | null>;
  /** Takes up to `limit` domains whose look is due; others do not get them for `leaseS`. */
  claimDue(limit: number, leaseS: number): Promise<ProvableDomain[]>;
  /** Writes down what was seen, and when the next look is due. */
  record(looks: ProofLook[]): Promise<void>;
  /** Nobody could be asked: the look is due again after `seconds`. */
  postpone(domainIds: number[], seconds: number): Promise<void>;
  holder(fullDomain: string): Promise<ProvedHolder | null>;
  /** A claim becomes the name's owner; `instead`: a holder whose proof is gone loses it at the same moment. */
  promote(
    domain: ProvableDomain,
    instead: { domainId: number; userId: number; token: string } | null,
    audits: { promoted: AuditEntry; demoted: AuditEntry },
  ): Promise<PromoteOutcome>;
  /** The proof of a verified domain is gone for good. @returns Outbox rows. */
  demote(domain: ProvableDomain, audit: AuditEntry): Promise<number[]>;
}
