import type { ApiKey, Limits, SetQuota, User } from '@tunnox/domain/api/users';
import type { AuditEntry } from './audit.ts';
import type { OverQuota } from './client-ports.ts';
import type { IfVersion } from './if-version.ts';
import type { PageRequest, PageRows } from './page.ts';
import type { Membership, Scope } from './principal.ts';

export interface NewUser {
  username: string;
  email: string;
  passwordHash: string | null;
  plan: string;
}

export interface UserChange {
  username?: string | undefined;
  email?: string | undefined;
  passwordHash?: string | undefined;
  plan?: string | undefined;
  status?: 'active' | 'disabled' | undefined;
}

export type UserOutcome =
  | { outcome: 'done'; userId: number; outboxIds: number[] }
  | { outcome: 'username_taken' | 'email_taken' | 'no_plan' | 'no_user' };

/** What a user has and uses now. */
export interface QuotaFacts {
  limits: Limits;
  clients: number;
  mappings: number;
  monthTraffic: number;
  /** Bytes a second lately, as relays have reported. */
  bandwidth: number;
  /** How many mappings and domains are enabled, by the clients that serve them. */
  enabled: { clientIds: number[]; count: number }[];
}

export interface UserRepository {
  create(user: NewUser, audit: AuditEntry): Promise<UserOutcome>;
  find(userId: number): Promise<User | null>;
  /** As stored; null: it has none. */
  passwordHash(userId: number): Promise<string | null>;
  list(filter: { status?: User['status'] | undefined }, page: PageRequest): Promise<PageRows<User>>;
  /** Disabling voids every ticket of the user's clients; it and a new password end all log-ins. */
  update(userId: number, change: UserChange, audit: AuditEntry, ifVersion: IfVersion): Promise<UserOutcome>;
  /** Keeps the row as `deleted`; keys, log-ins, teams, clients, mappings and domains go. */
  remove(userId: number, audit: AuditEntry, ifVersion: IfVersion): Promise<UserOutcome>;
  quota(userId: number): Promise<QuotaFacts | null>;
  setQuota(userId: number, quota: SetQuota, audit: AuditEntry, ifVersion: IfVersion): Promise<UserOutcome>;
  /** The limits are the plan's again. */
  resetQuota(userId: number, audit: AuditEntry, ifVersion: IfVersion): Promise<UserOutcome>;
}

export interface NewApiKey {
  name: string;
  prefix: string;
  hash: string;
  scopes: Scope[];
  expiresAt: string | null;
}

export interface ApiKeyRepository {
  /** Counted and made under the user's lock. @param max Keys that a user may have that are not revoked. */
  create(
    userId: number,
    key: NewApiKey,
    max: number,
    audit: AuditEntry,
  ): Promise<{ outcome: 'done'; key: ApiKey } | OverQuota | { outcome: 'no_user' }>;
  list(userId: number, page: PageRequest): Promise<PageRows<ApiKey>>;
  /** @returns false: the user has no such key, or it is revoked. */
  revoke(userId: number, keyId: number, audit: AuditEntry): Promise<boolean>;
  /** A living key of an active user; notes its use. */
  authenticate(hash: string): Promise<{ userId: number; scopes: Scope[]; memberships: Membership[] } | null>;
}
