import type { DnsCredential, DnsRecord, DnsRun, DnsZone, ProviderKind } from '@tunnox/domain/api/dns';
import type { AuditEntry } from './audit.ts';
import type { IfVersion } from './if-version.ts';
import type { NewestPageRequest, PageRequest, PageRows } from './page.ts';
import type { Tenant } from './principal.ts';

/** As stored: how many calls there may be, the provider's driver says. */
export type DnsCredentialRow = Omit<DnsCredential, 'calls_max'>;

export interface NewDnsCredential {
  /** null: the operators'. */
  userId: number | null;
  name: string;
  provider: ProviderKind;
  tokenEncrypted: string;
  endpoint: string | null;
}

export interface DnsCredentialChange {
  name?: string | undefined;
  tokenEncrypted?: string | undefined;
  endpoint?: string | undefined;
}

export interface DnsCredentialRepository {
  create(credential: NewDnsCredential, audit: AuditEntry): Promise<number>;
  find(credentialId: number, tenant: Tenant): Promise<DnsCredentialRow | null>;
  list(tenant: Tenant, page: PageRequest): Promise<PageRows<DnsCredentialRow>>;
  /** @returns Zones in which records are due by it that the old one could not make; null: there is no such credential. */
  update(
    credentialId: number,
    change: DnsCredentialChange,
    audit: AuditEntry,
    ifVersion: IfVersion,
  ): Promise<number[] | null>;
  /** @returns `in_use`: zones need it. */
  remove(credentialId: number, audit: AuditEntry, ifVersion: IfVersion): Promise<'done' | 'in_use' | 'gone'>;
}

/** As stored: the mark is made of the tag. */
export type DnsZoneRow = Omit<DnsZone, 'mark'> & { tag: string };

export interface NewDnsZone {
  userId: number | null;
  domain: string;
  credentialId: number;
  providerZoneId: string;
  tag: string;
  policy: DnsZone['policy'];
  ownerRecords: boolean;
  websiteGroup: string | null;
}

export interface DnsZoneChange {
  credentialId?: number | undefined;
  /** Of the zone at the new credential's provider. */
  providerZoneId?: string | undefined;
  policy?: DnsZone['policy'] | undefined;
  guardShare?: number | undefined;
  ownerRecords?: boolean | undefined;
  websiteGroup?: string | null | undefined;
}

export interface DnsZoneRepository {
  /** @returns null: the tenant has this zone already. */
  create(zone: NewDnsZone, audit: AuditEntry): Promise<number | null>;
  find(zoneId: number, tenant: Tenant): Promise<DnsZoneRow | null>;
  list(tenant: Tenant, page: PageRequest): Promise<PageRows<DnsZoneRow>>;
  update(zoneId: number, change: DnsZoneChange, audit: AuditEntry, ifVersion: IfVersion): Promise<boolean>;
  /** @param leaveRecords The rows go, what they made at the provider stays. @returns `in_use`: it has rows. */
  remove(
    zoneId: number,
    leaveRecords: boolean,
    audit: AuditEntry,
    ifVersion: IfVersion,
  ): Promise<'done' | 'in_use' | 'gone'>;
  /** Somebody has asked for a run. */
  noteOrder(zoneId: number, audit: AuditEntry): Promise<void>;
  runs(zoneId: number, page: NewestPageRequest): Promise<PageRows<DnsRun & { id: number }>>;
  run(runId: number): Promise<DnsRun | null>;
}

export interface NewDnsRecord {
  zoneId: number;
  type: DnsRecord['type'];
  /** Whole name in normal form. */
  name: string;
  /** Canonical. */
  value: string;
  ttl: number;
  proxied: boolean | null;
  ownerType: DnsRecord['owner_type'];
  ownerId: string | null;
}

export type DnsRecordOutcome =
  | { outcome: 'done'; recordId: number }
  /** This very record is there, and shall be. */
  | { outcome: 'exists'; recordId: number }
  /** A CNAME and something else at one name. */
  | { outcome: 'excluded' }
  /** The other values of the set have this TTL: a set has one. */
  | { outcome: 'other_ttl'; ttl: number }
  | { outcome: 'full' }
  | { outcome: 'no_zone' };

export interface DnsRecordFilter {
  zone_id?: number | undefined;
  status?: DnsRecord['status'] | undefined;
  desired_state?: DnsRecord['desired_state'] | undefined;
  owner_type?: DnsRecord['owner_type'] | undefined;
  owner_id?: string | undefined;
  type?: DnsRecord['type'] | undefined;
  name?: string | undefined;
}

export interface DnsRecordRepository {
  /** Makes the row, or wants one again that waits for its deletion. Checked under the zone's lock. */
  create(record: NewDnsRecord, recordsMax: number, audit: AuditEntry): Promise<DnsRecordOutcome>;
  find(recordId: number, tenant: Tenant): Promise<DnsRecord | null>;
  list(filter: DnsRecordFilter, tenant: Tenant, page: PageRequest): Promise<PageRows<DnsRecord>>;
  /** Marks rows for deletion. @returns The zones of those that were not marked before, and how many these are. */
  markAbsent(
    ids: readonly number[],
    tenant: Tenant,
    audit: AuditEntry,
  ): Promise<{ affected: number; zoneIds: number[] }>;
  /** Due now, with its tries counted from the beginning. @returns Its zone; null: there is no such row. */
  retry(recordId: number, audit: AuditEntry): Promise<number | null>;
}

/** What a run was told to do. */
export interface RunWish {
  kind: 'asked' | 'dry_run';
  confirm?: string | undefined;
  adoptIdentical: boolean;
}

/** Owners of zones' runs. */
export interface ZoneOwners {
  /** Something is due: a run begins now, or as soon as the running one has ended. */
  wake(zoneId: number): Promise<void>;
  /** @returns The run's id; null: another run would not end in time. */
  reconcile(zoneId: number, wish: RunWish): Promise<number | null>;
}

/** Asks providers about zones before they are stored. */
export interface ZoneFinder {
  /**
   * @param zone `id`: what the provider is said to call it; null: looked up by its name.
   * @throws {TunnoxError} `invalid` with the provider's words, `unavailable` when it does not answer
   */
  findZone(credentialId: number, zone: { domain: string; id: string | null }): Promise<string>;
  callsMax(provider: ProviderKind): number;
}
