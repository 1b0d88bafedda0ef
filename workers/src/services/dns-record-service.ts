import { absoluteName, NAME_FAULTS } from '@tunnox/dns-plan/record-name';
import { canonicalValue } from '@tunnox/dns-plan/record-type';
import type { Page, PageQuery } from '@tunnox/domain/api/common';
import type { DnsRecord } from '@tunnox/domain/api/dns';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { auditOf } from './audit.ts';
import type { DnsRecordFilter, DnsRecordRepository, DnsZoneRepository, NewDnsRecord, ZoneOwners } from './dns-ports.ts';
import { toPage, toPageRequest } from './page.ts';
import { type Caller, invalid, notFound, refuseClients, tenantOf } from './principal.ts';

export interface DnsRecordServiceDeps {
  records: DnsRecordRepository;
  zones: Pick<DnsZoneRepository, 'find'>;
  owners: Pick<ZoneOwners, 'wake'>;
}

/** A create as the schema gives it, with its defaults. */
export interface CreateDnsRecordInput {
  zone_id: number;
  type: DnsRecord['type'];
  name: string;
  value: string;
  ttl: number;
  proxied: boolean | null;
  owner_type: DnsRecord['owner_type'];
  owner_id: string | null;
}

/** More than a zone of a person or a platform has; a run reads them all. */
const RECORDS_MAX = 20_000;

/** Records as they shall be. */
export class DnsRecordService {
  readonly #deps: DnsRecordServiceDeps;

  constructor(deps: DnsRecordServiceDeps) {
    this.#deps = deps;
  }

  async create(caller: Caller, body: CreateDnsRecordInput): Promise<DnsRecord> {
    refuseClients(caller);
    const zone = await this.#deps.zones.find(body.zone_id, tenantOf(caller.principal));
    if (zone === null) throw notFound('DNS zone', body.zone_id);
    if (
      caller.principal.role !== 'operator' &&
      (body.owner_type === 'node_group' || body.owner_type === 'line_group')
    ) {
      throw invalid('/owner_type', 'is for operators: these records follow relays');
    }
    const record = toRecord(body, zone.domain);
    const { type, name, value, ttl, ownerType, ownerId } = record;
    const audit = auditOf(caller, 'dns_record.create', {
      after: { zone_id: zone.zone_id, type, name, value, ttl, owner_type: ownerType, owner_id: ownerId },
    });
    const outcome = await this.#deps.records.create(record, RECORDS_MAX, audit);
    switch (outcome.outcome) {
      case 'done': {
        // As it was stored: by the time that it is read again it may be on its way.
        const made = await this.find(caller, outcome.recordId);
        await this.#deps.owners.wake(zone.zone_id);
        return made;
      }
      case 'exists':
        throw new TunnoxError('conflict', `There is a record ${type} ${name} ${value} already`, {
          details: { record_id: outcome.recordId },
        });
      case 'excluded':
        throw new TunnoxError('conflict', `${name} cannot have a CNAME and other records: one excludes the other`);
      case 'other_ttl':
        throw invalid('/ttl', `must be ${outcome.ttl}, as at the other ${type} records of ${name}: a set has one`);
      case 'full':
        throw new TunnoxError('quota_exceeded', `A zone has ${RECORDS_MAX} records at the most`, {
          details: { limit: RECORDS_MAX, current: RECORDS_MAX },
        });
      case 'no_zone':
        throw notFound('DNS zone', zone.zone_id);
    }
  }

  async find(caller: Caller, recordId: number): Promise<DnsRecord> {
    refuseClients(caller);
    const record = await this.#deps.records.find(recordId, tenantOf(caller.principal));
    if (record === null) throw notFound('DNS record', recordId);
    return record;
  }

  async list(caller: Caller, query: PageQuery & DnsRecordFilter): Promise<Page<'records', DnsRecord>> {
    refuseClients(caller);
    const page = await this.#deps.records.list(query, tenantOf(caller.principal), toPageRequest(query));
    return toPage('records', query, page, page.rows, (record) => record.record_id);
  }

  /** Marks it for deletion: it goes once the provider has confirmed that it is gone there. */
  async remove(caller: Caller, recordId: number): Promise<DnsRecord> {
    const record = await this.find(caller, recordId);
    if (record.automatic && record.desired_state === 'present') {
      const { owner_type: type, owner_id: id } = record;
      throw new TunnoxError(
        'conflict',
        `This record follows its owner (${type} ${id}) and would come back: remove the owner, or set owner_records of the zone to false`,
      );
    }
    await this.removeMany(caller, [recordId]);
    // By now it may be gone.
    return { ...record, desired_state: 'absent', status: 'pending' };
  }

  /** Those that follow an owner stay with it. @returns How many are marked now that were not before. */
  async removeMany(caller: Caller, ids: readonly number[]): Promise<{ affected: number }> {
    refuseClients(caller);
    const audit = auditOf(caller, 'dns_record.delete', {});
    const { affected, zoneIds } = await this.#deps.records.markAbsent(ids, tenantOf(caller.principal), audit);
    await Promise.all(zoneIds.map((zoneId) => this.#deps.owners.wake(zoneId)));
    return { affected };
  }

  /** Tries it now, with its tries counted from the beginning. */
  async retry(caller: Caller, recordId: number): Promise<DnsRecord> {
    const before = await this.find(caller, recordId);
    const audit = auditOf(caller, 'dns_record.retry', {
      before: { status: before.status, retry_count: before.retry_count, last_error: before.last_error },
    });
    const zoneId = await this.#deps.records.retry(recordId, audit);
    if (zoneId === null) throw notFound('DNS record', recordId);
    const retried = await this.find(caller, recordId);
    await this.#deps.owners.wake(zoneId);
    return retried;
  }
}

function toRecord(body: CreateDnsRecordInput, zone: string): NewDnsRecord {
  const named = absoluteName(body.name, zone);
  if (!named.ok) throw invalid('/name', NAME_FAULTS[named.fault]);
  const { name } = named;
  const valued = canonicalValue(body.type, body.value, { name, zone });
  if (!valued.ok) throw invalid('/value', valued.fault);
  if (body.proxied === true && body.type === 'TXT') throw invalid('/proxied', 'is for A, AAAA and CNAME only');
  const { zone_id: zoneId, type, ttl, proxied, owner_type: ownerType, owner_id: ownerId } = body;
  return { zoneId, type, name, value: valued.value, ttl, proxied, ownerType, ownerId };
}
