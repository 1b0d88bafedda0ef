import type { AuditEntry } from './audit.ts';
import type { IfVersion } from './if-version.ts';
import type { PageRequest, PageRows } from './page.ts';
import type { Tenant } from './principal.ts';

/** A client as stored; whether it is online is added by the service. */
export interface ClientRecord {
  client_id: number;
  user_id: number | null;
  namespace_id: number | null;
  client_name: string;
  client_desc: string;
  client_type: 'managed' | 'anonymous';
  /** `disabled` also when its user is, or when an operator has suspended it. */
  state: 'active' | 'disabled' | 'claimed';
  /** By an operator. */
  suspended: boolean;
  suspended_reason: string | null;
  last_seen_at: string | null;
  config_version: number;
  config_applied_version: number;
  expires_at: string | null;
  created_at: string;
  updated_at: string;
  version: number;
}

export interface NewClient {
  userId: number;
  namespaceId: number | null;
  name: string;
  description: string;
  authCodeHash: string;
}

export interface ClientChange {
  name?: string | undefined;
  description?: string | undefined;
  enabled?: boolean | undefined;
  /** By an operator; null: no longer. */
  suspended?: { reason: string | null } | null | undefined;
}

export interface ClientFilter {
  userId?: number | undefined;
  namespaceId?: number | undefined;
  type?: 'managed' | 'anonymous' | undefined;
  /** `disabled` for whatever reason; `suspended`: by an operator. */
  status?: 'active' | 'disabled' | 'suspended' | 'claimed' | undefined;
  /** Part of the name. */
  q?: string | undefined;
}

/** A quota that a create would pass. */
export interface OverQuota {
  outcome: 'over_quota';
  limit: number;
  current: number;
}

export interface ClientRepository {
  /** Counted and made under the user's lock. */
  create(
    client: NewClient,
    audit: AuditEntry,
  ): Promise<{ outcome: 'done'; clientId: number } | OverQuota | { outcome: 'no_user' }>;
  find(clientId: number, tenant: Tenant): Promise<ClientRecord | null>;
  list(filter: ClientFilter, tenant: Tenant, page: PageRequest): Promise<PageRows<ClientRecord>>;
  /** @returns Outbox rows. */
  update(client: ClientRecord, change: ClientChange, audit: AuditEntry, ifVersion: IfVersion): Promise<number[]>;
  /** Deletes it with what only it serves or visits; private mappings and names end with their last client. */
  remove(client: ClientRecord, audit: AuditEntry, ifVersion: IfVersion): Promise<number[]>;
  rotateCode(client: ClientRecord, authCodeHash: string, audit: AuditEntry, ifVersion: IfVersion): Promise<number[]>;
  /** Asks its relay to close it; it may come back. */
  disconnect(client: ClientRecord, audit: AuditEntry, ifVersion: IfVersion): Promise<number[]>;
}
