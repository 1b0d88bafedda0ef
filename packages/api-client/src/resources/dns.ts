import type { Page } from '@tunnox/domain/api/common';
import {
  affectedSchema,
  type CreateDnsCredential,
  type CreateDnsRecord,
  type CreateDnsZone,
  type DnsCredential,
  dnsCredentialSchema,
  dnsCredentialsPageSchema,
  type DnsRecord,
  dnsRecordSchema,
  dnsRecordsPageSchema,
  type DnsRun,
  dnsRunSchema,
  dnsRunsPageSchema,
  type DnsZone,
  dnsZoneSchema,
  dnsZonesPageSchema,
  type UpdateDnsCredential,
  type UpdateDnsZone,
} from '@tunnox/domain/api/dns';
import { type CallOptions, type ChangeOptions, type ListQuery, Resource, V1 } from '../resource.ts';

export interface DnsRecordsQuery extends ListQuery {
  zone_id?: number;
  status?: DnsRecord['status'];
  desired_state?: DnsRecord['desired_state'];
  owner_type?: DnsRecord['owner_type'];
  owner_id?: string;
  type?: DnsRecord['type'];
  name?: string;
}

export interface ReconcileOptions extends ChangeOptions {
  /** The plan alone: nothing is changed. */
  dryRun?: boolean | undefined;
  /** `plan_hash` of a run that the guard against mass changes has refused. */
  confirm?: string | undefined;
  /** Foreign records that are just as desired are taken over. */
  adoptIdentical?: boolean | undefined;
}

const CREDENTIALS = `${V1}/dns/credentials`;
const ZONES = `${V1}/dns/zones`;
const RECORDS = `${V1}/dns/records`;

/** Zones at DNS providers, and the records that shall be in them. */
export class Dns extends Resource {
  /** The token is in no answer. */
  createCredential(credential: CreateDnsCredential, options?: ChangeOptions): Promise<DnsCredential> {
    return this.post(CREDENTIALS, credential, dnsCredentialSchema, options);
  }

  credentials(query: ListQuery = {}, options?: CallOptions): Promise<Page<'credentials', DnsCredential>> {
    return this.read(CREDENTIALS, dnsCredentialsPageSchema, query, options);
  }

  credential(credentialId: number, options?: CallOptions): Promise<DnsCredential> {
    return this.read(`${CREDENTIALS}/${credentialId}`, dnsCredentialSchema, {}, options);
  }

  updateCredential(credentialId: number, change: UpdateDnsCredential, options?: ChangeOptions): Promise<DnsCredential> {
    return this.put(`${CREDENTIALS}/${credentialId}`, change, dnsCredentialSchema, options);
  }

  /** @throws {ApiError} `conflict` while zones need it */
  deleteCredential(credentialId: number, options?: ChangeOptions): Promise<void> {
    return this.remove(`${CREDENTIALS}/${credentialId}`, options);
  }

  /** The provider is asked at once whether it has the zone. */
  createZone(zone: CreateDnsZone, options?: ChangeOptions): Promise<DnsZone> {
    return this.post(ZONES, zone, dnsZoneSchema, options);
  }

  zones(query: ListQuery = {}, options?: CallOptions): Promise<Page<'zones', DnsZone>> {
    return this.read(ZONES, dnsZonesPageSchema, query, options);
  }

  zone(zoneId: number, options?: CallOptions): Promise<DnsZone> {
    return this.read(`${ZONES}/${zoneId}`, dnsZoneSchema, {}, options);
  }

  updateZone(zoneId: number, change: UpdateDnsZone, options?: ChangeOptions): Promise<DnsZone> {
    return this.put(`${ZONES}/${zoneId}`, change, dnsZoneSchema, options);
  }

  /**
   * @param leaveRecords What was made at the provider stays there, and is nobody's from now on.
   * @throws {ApiError} `conflict` while it has records and they are not to be left
   */
  deleteZone(zoneId: number, leaveRecords = false, options?: ChangeOptions): Promise<void> {
    return this.remove(`${ZONES}/${zoneId}${leaveRecords ? '?leave_records=true' : ''}`, options);
  }

  /** Goes over the whole zone now, or shows what that would do. @returns The run with its plan */
  reconcile(zoneId: number, options: ReconcileOptions = {}): Promise<DnsRun> {
    const { dryRun = false, confirm, adoptIdentical = false, ...call } = options;
    const query = new URLSearchParams({
      ...(dryRun ? { dry_run: 'true' } : {}),
      ...(confirm === undefined ? {} : { confirm }),
      ...(adoptIdentical ? { adopt: 'identical' } : {}),
    });
    const path = `${ZONES}/${zoneId}/reconcile`;
    return this.post(query.size === 0 ? path : `${path}?${query.toString()}`, {}, dnsRunSchema, call);
  }

  /** What was planned and done, the newest first. */
  runs(zoneId: number, query: ListQuery = {}, options?: CallOptions): Promise<Page<'runs', DnsRun>> {
    return this.read(`${ZONES}/${zoneId}/runs`, dnsRunsPageSchema, query, options);
  }

  createRecord(record: CreateDnsRecord, options?: ChangeOptions): Promise<DnsRecord> {
    return this.post(RECORDS, record, dnsRecordSchema, options);
  }

  records(query: DnsRecordsQuery = {}, options?: CallOptions): Promise<Page<'records', DnsRecord>> {
    return this.read(RECORDS, dnsRecordsPageSchema, query, options);
  }

  record(recordId: number, options?: CallOptions): Promise<DnsRecord> {
    return this.read(`${RECORDS}/${recordId}`, dnsRecordSchema, {}, options);
  }

  /** Marks it: it goes once the provider has confirmed that it is gone there. */
  deleteRecord(recordId: number, options?: ChangeOptions): Promise<void> {
    return this.remove(`${RECORDS}/${recordId}`, options);
  }

  /** Marks up to 1000. @returns How many were not marked before */
  async deleteRecords(ids: readonly number[], options?: ChangeOptions): Promise<number> {
    return (await this.post(`${RECORDS}/delete`, { ids }, affectedSchema, options)).affected;
  }

  /** Tries it now, with its tries counted from the beginning. */
  retryRecord(recordId: number, options?: ChangeOptions): Promise<DnsRecord> {
    return this.post(`${RECORDS}/${recordId}/retry`, {}, dnsRecordSchema, options);
  }
}
