import type { Domain } from '@tunnox/domain/api/domains';
import type { Mapping } from '@tunnox/domain/api/mappings';
import type { AuditEntry } from './audit.ts';
import type { OverQuota } from './client-ports.ts';
import type { StoredSetupFacts } from './domain-setup.ts';
import type { IfVersion } from './if-version.ts';
import type { PageRequest, PageRows } from './page.ts';
import type { Tenant } from './principal.ts';

export interface AccessRules {
  allow: string[];
  deny: string[];
}

/** A client that serves something, as stored: whether its agent is there is added by the service. */
export type UpstreamRow = Omit<Mapping['upstreams'][number], 'online'>;

/** A mapping as stored; state and addresses are added by the service. */
export type MappingRecord = Omit<Mapping, 'status' | 'urls' | 'upstreams'> & {
  upstreams: UpstreamRow[];
  /** Public addresses of the relays that have the port in their pool, the online ones first. */
  addresses: string[];
};

interface NewMappingBase {
  userId: number;
  namespaceId: number | null;
  name: string;
  upstreams: UpstreamRow[];
  protocol: Mapping['protocol'];
  targetHost: string | null;
  targetPort: number | null;
  enabled: boolean;
  access: AccessRules;
}

export type NewMappingKind =
  | { kind: 'private'; sourceClientId: number; localPort: number; secretEncrypted: string }
  /** `remotePort` null: any free port of the group's pool. */
  | { kind: 'public'; relayGroup: string; remotePort: number | null };

export type NewMapping = NewMappingBase & NewMappingKind;

export interface MappingChange {
  upstreams?: UpstreamRow[] | undefined;
  name?: string | undefined;
  targetHost?: string | undefined;
  targetPort?: number | undefined;
  localPort?: number | undefined;
  remotePort?: number | undefined;
  enabled?: boolean | undefined;
  access?: AccessRules | undefined;
}

export type MappingOutcome =
  | { outcome: 'done'; mappingId: number; outboxIds: number[] }
  | OverQuota
  /** The port is in use; or, when none was named, every port of the pool. */
  | { outcome: 'port_taken' }
  /** The port is in no pool of the group; or the group has none. */
  | { outcome: 'no_pool' }
  | { outcome: 'gone' };

export interface MappingFilter {
  userId?: number | undefined;
  namespaceId?: number | undefined;
  clientId?: number | undefined;
  protocol?: Mapping['protocol'] | undefined;
}

export interface MappingRepository {
  create(mapping: NewMapping, audit: AuditEntry): Promise<MappingOutcome>;
  find(mappingId: number, tenant: Tenant): Promise<MappingRecord | null>;
  list(filter: MappingFilter, tenant: Tenant, page: PageRequest): Promise<PageRows<MappingRecord>>;
  update(
    mapping: MappingRecord,
    change: MappingChange,
    audit: AuditEntry,
    ifVersion: IfVersion,
  ): Promise<MappingOutcome>;
  /** @returns Outbox rows. */
  remove(mapping: MappingRecord, audit: AuditEntry, ifVersion: IfVersion): Promise<number[]>;
}

/** A domain as stored; state and addresses are added by the service. */
export type DomainRecord = Omit<Domain, 'status' | 'url' | 'urls' | 'custom' | 'proofs' | 'upstreams' | 'setup'> & {
  upstreams: UpstreamRow[];
  proof_token: string | null;
  /** null: it lies under a base domain. */
  setup_facts: StoredSetupFacts | null;
};

export interface NewDomain {
  /** null: an anonymous client's. */
  userId: number | null;
  namespaceId: number | null;
  /** The first of `upstreams`. */
  clientId: number;
  upstreams: UpstreamRow[];
  fullDomain: string;
  /** null: a custom domain. */
  under: { subdomain: string; baseDomain: string } | null;
  verified: boolean;
  proofToken: string | null;
  targetScheme: 'http' | 'https';
  targetHost: string;
  targetPort: number;
  hostHeader: string | null;
  tlsMode: 'terminate' | 'off';
  enabled: boolean;
  access: AccessRules;
}

export interface DomainChange {
  upstreams?: UpstreamRow[] | undefined;
  targetScheme?: 'http' | 'https' | undefined;
  targetHost?: string | undefined;
  targetPort?: number | undefined;
  hostHeader?: string | null | undefined;
  tlsMode?: 'terminate' | 'off' | undefined;
  enabled?: boolean | undefined;
  access?: AccessRules | undefined;
}

export type DomainOutcome =
  | { outcome: 'done'; domainId: number; outboxIds: number[] }
  | OverQuota
  /** Somebody has the name; `domainId` when it is the same owner. */
  | { outcome: 'taken'; domainId: number | null }
  | { outcome: 'gone' };

export interface DomainFilter {
  userId?: number | undefined;
  namespaceId?: number | undefined;
  clientId?: number | undefined;
}

/** `quarantine`: it was given up a short time ago. */
export interface Reservation {
  reason: 'reserved' | 'quarantine';
  /** RFC 3339; null: for ever. */
  until: string | null;
}

/** Who has a name, if anybody. */
export interface NameHolder {
  domainId: number;
  userId: number | null;
  clientId: number | null;
}

export interface DomainRepository {
  create(domain: NewDomain, audit: AuditEntry): Promise<DomainOutcome>;
  find(domainId: number, tenant: Tenant): Promise<DomainRecord | null>;
  /** The verified holder of a name. */
  holder(fullDomain: string): Promise<NameHolder | null>;
  /** Why the name or its label is kept back for others than this user; null: it is not. */
  reservation(fullDomain: string, subdomain: string | null, userId: number | null): Promise<Reservation | null>;
  list(filter: DomainFilter, tenant: Tenant, page: PageRequest): Promise<PageRows<DomainRecord>>;
  update(domain: DomainRecord, change: DomainChange, audit: AuditEntry, ifVersion: IfVersion): Promise<DomainOutcome>;
  remove(domain: DomainRecord, audit: AuditEntry, ifVersion: IfVersion): Promise<number[]>;
}
