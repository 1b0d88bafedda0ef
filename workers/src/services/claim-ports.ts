import type { AuditEntry } from './audit.ts';
import type { OverQuota } from './client-ports.ts';

/** An anonymous client that becomes a user's. */
export interface Claim {
  anonymousId: number;
  /** Hash of the code that was shown: the row must still have it. */
  authCodeHash: string;
  userId: number;
  namespaceId: number | null;
  /** null: the anonymous client's own. */
  name: string | null;
  newAuthCodeHash: string;
  /** The new code for the agent, encrypted. */
  handoverEncrypted: string;
}

export type ClaimOutcome =
  | { outcome: 'done'; clientId: number; outboxIds: number[] }
  | (OverQuota & { what: 'clients' | 'mappings' })
  | { outcome: 'no_owner' }
  /** Claimed, disabled, ended or given another code since it was looked at. */
  | { outcome: 'changed' };

export interface ClaimRepository {
  /**
   * Makes the new client and moves everything that the anonymous one serves to it and its user, or changes nothing.
   *
   * @param audits Of the old client and of the new one; ids that are only known then are added to `after`.
   */
  claim(claim: Claim, audits: { old: AuditEntry; made: AuditEntry }): Promise<ClaimOutcome>;
}

/** New codes that wait for the agents of claimed clients. */
export interface HandoverRepository {
  /** @returns The encrypted code of the client that this one became; null: it was handed out, or its time has ended. */
  find(oldClientId: number): Promise<string | null>;
  /** The managed client's code was used, so its agent has it. */
  end(newClientId: number): Promise<void>;
}
