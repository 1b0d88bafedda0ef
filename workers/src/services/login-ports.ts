import type { User } from '@tunnox/domain/api/users';
import type { AuditEntry } from './audit.ts';
import type { Membership } from './principal.ts';

/** One log-in of a user: all tokens that follow from it. */
export interface LoginIdentity {
  userId: number;
  family: string;
}

/** Signs and verifies access tokens of people who have logged in. */
export interface LoginTokens {
  /** Makes sure that a token can be signed, before anything is changed for it. */
  prepare(): Promise<void>;
  issue(identity: LoginIdentity): Promise<{ token: string; expiresAt: string }>;
  /** @throws {TunnoxError} `unauthenticated`. Whether the log-in still lives, its repository knows. */
  verify(token: string): Promise<LoginIdentity>;
}

/** A user as its password is checked. */
export interface LoginAccount {
  userId: number;
  passwordHash: string | null;
  status: 'active' | 'disabled';
  /** It has a log-in that lives and was used from this address. */
  knownAddress: boolean;
}

/** A refresh token that is given out now. */
export interface NewRefreshToken {
  hash: string;
  /** Where it goes, as addressKey() tells; null: unknown. */
  address: string | null;
}

export interface NewLogin extends NewRefreshToken {
  userId: number;
  family: string;
  /** The hash that was checked: when it is another one meanwhile, there is no log-in. */
  passwordHash: string;
  /** Takes its place; null: it stays. */
  newPasswordHash: string | null;
}

/** A log-in that goes on with a new refresh token. */
export interface LiveLogin extends LoginIdentity {
  expiresAt: string;
  user: User;
}

export interface LoginRepository {
  /** @param login User name or e-mail address, in any letter case. */
  findAccount(login: string, address: string | null): Promise<LoginAccount | null>;
  /** Notes a wrong password; null: of nobody, which takes as long. */
  noteFailure(userId: number | null, audit: AuditEntry): Promise<void>;
  /** @returns null: the user was disabled or its password changed meanwhile. */
  begin(login: NewLogin, audit: AuditEntry): Promise<LiveLogin | null>;
  /**
   * Trades a refresh token for the next one. One that was traded before ends its log-in.
   *
   * @returns null: it is not good (any more).
   */
  rotate(hash: string, next: NewRefreshToken, reuse: AuditEntry): Promise<LiveLogin | null>;
  /** Ends the log-in to which the token belongs, if it lives. */
  end(hash: string, audit: AuditEntry): Promise<void>;
  /** Teams of the user; null: it is not active, or the log-in has ended. */
  authenticate(identity: LoginIdentity): Promise<Membership[] | null>;
  /** Removes what can be shown to nobody any more. */
  removeEnded(): Promise<void>;
}
