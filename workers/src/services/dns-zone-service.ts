import { ownershipMark } from '@tunnox/dns-plan/ownership';
import { asciiName, NAME_FAULTS } from '@tunnox/dns-plan/record-name';
import type { Page, PageQuery } from '@tunnox/domain/api/common';
import type { CreateDnsZone, DnsRun, DnsZone, UpdateDnsZone } from '@tunnox/domain/api/dns';
import { isWithin } from '@tunnox/domain/host-name';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { auditOf } from './audit.ts';
import type { DnsOwners } from './dns-owners.ts';
import type {
  DnsCredentialRepository,
  DnsZoneRepository,
  DnsZoneRow,
  RunWish,
  ZoneFinder,
  ZoneOwners,
} from './dns-ports.ts';
import type { IfVersion } from './if-version.ts';
import { toNewestPage, toNewestPageRequest, toPage, toPageRequest } from './page.ts';
import { type Caller, invalid, notFound, refuseClients, tenantOf } from './principal.ts';
import { randomInteger } from './random.ts';

export interface DnsZoneServiceDeps {
  zones: DnsZoneRepository;
  credentials: Pick<DnsCredentialRepository, 'find'>;
  finder: ZoneFinder;
  owners: ZoneOwners;
  /** Records that follow relays and domains. */
  dnsOwners: Pick<DnsOwners, 'ownersChanged'>;
}

export interface DnsZoneServiceOptions {
  baseDomains: readonly string[];
}

const TAG_LENGTH = 12;
const TAG_ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** Zones whose records are reconciled with their providers. */
export class DnsZoneService {
  readonly #deps: DnsZoneServiceDeps;
  readonly #options: DnsZoneServiceOptions;

  constructor(deps: DnsZoneServiceDeps, options: DnsZoneServiceOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** The provider is asked first: a zone that it does not have, or a token that may not read it, is told now. */
  async create(caller: Caller, body: CreateDnsZone): Promise<DnsZone> {
    refuseClients(caller);
    const domain = this.#domainOf(caller, body.domain);
    const credential = await this.#deps.credentials.find(body.credential_id, tenantOf(caller.principal));
    if (credential === null) throw notFound('DNS credential', body.credential_id);
    const { policy = 'sync', owner_records: ownerRecords = true, website_group: websiteGroup = null } = body;
    requireOperatorsZone(websiteGroup, credential.user_id);
    const id = body.provider_zone_id ?? null;
    const providerZoneId = await this.#deps.finder.findZone(credential.credential_id, { domain, id });
    const userId = caller.principal.role === 'operator' ? credential.user_id : caller.principal.userId;
    const zoneId = await this.#deps.zones.create(
      {
        userId,
        domain,
        credentialId: credential.credential_id,
        providerZoneId,
        tag: newTag(),
        policy,
        ownerRecords,
        websiteGroup,
      },
      auditOf(caller, 'dns_zone.create', { after: { domain, credential_id: credential.credential_id, policy } }),
    );
    if (zoneId === null) throw new TunnoxError('conflict', `There is a zone ${domain} already`);
    await this.#deps.dnsOwners.ownersChanged();
    await this.#deps.owners.wake(zoneId);
    return await this.find(caller, zoneId);
  }

  async find(caller: Caller, zoneId: number): Promise<DnsZone> {
    return toZone(await this.#load(caller, zoneId));
  }

  async list(caller: Caller, query: PageQuery): Promise<Page<'zones', DnsZone>> {
    refuseClients(caller);
    const page = await this.#deps.zones.list(tenantOf(caller.principal), toPageRequest(query));
    return toPage('zones', query, page, page.rows.map(toZone), (row) => row.zone_id);
  }

  async update(caller: Caller, zoneId: number, body: UpdateDnsZone, ifVersion: IfVersion): Promise<DnsZone> {
    const before = await this.#load(caller, zoneId);
    const { credential_id: credentialId, policy, guard_share: guardShare } = body;
    const { owner_records: ownerRecords, website_group: websiteGroup } = body;
    requireOperatorsZone(websiteGroup ?? null, before.user_id);
    let providerZoneId: string | undefined;
    if (credentialId !== undefined) {
      const credential = await this.#deps.credentials.find(credentialId, tenantOf(caller.principal));
      if (credential === null || credential.user_id !== before.user_id) throw notFound('DNS credential', credentialId);
      providerZoneId = await this.#deps.finder.findZone(credentialId, { domain: before.domain, id: null });
    }
    const audit = auditOf(caller, 'dns_zone.update', {
      before: {
        credential_id: before.credential_id,
        policy: before.policy,
        guard_share: before.guard_share,
        ...{ owner_records: before.owner_records, website_group: before.website_group },
      },
      after: body,
    });
    const change = { credentialId, providerZoneId, policy, guardShare, ownerRecords, websiteGroup };
    if (!(await this.#deps.zones.update(zoneId, change, audit, ifVersion))) throw notFound('DNS zone', zoneId);
    await this.#deps.dnsOwners.ownersChanged();
    await this.#deps.owners.wake(zoneId);
    return await this.find(caller, zoneId);
  }

  /** @param leaveRecords What was made at the provider stays there, and is nobody's from now on. */
  async remove(caller: Caller, zoneId: number, leaveRecords: boolean, ifVersion: IfVersion): Promise<void> {
    const { domain } = await this.#load(caller, zoneId);
    const audit = auditOf(caller, 'dns_zone.delete', { before: { domain, leave_records: leaveRecords } });
    switch (await this.#deps.zones.remove(zoneId, leaveRecords, audit, ifVersion)) {
      case 'done':
        return;
      case 'in_use':
        throw new TunnoxError(
          'conflict',
          `${domain} has records: delete them first, or leave them at the provider with leave_records=true`,
        );
      case 'gone':
        throw notFound('DNS zone', zoneId);
    }
  }

  /** Runs over the zone now. @throws {TunnoxError} `unavailable` when another run does not end in time */
  async reconcile(caller: Caller, zoneId: number, wish: RunWish): Promise<DnsRun> {
    await this.#load(caller, zoneId);
    if (wish.kind !== 'dry_run') {
      const { confirm = null, adoptIdentical } = wish;
      const order = auditOf(caller, 'dns_zone.reconcile', { after: { confirm, adopt_identical: adoptIdentical } });
      await this.#deps.zones.noteOrder(zoneId, order);
    }
    const runId = await this.#deps.owners.reconcile(zoneId, wish);
    const run = runId === null ? null : await this.#deps.zones.run(runId);
    if (run !== null) return run;
    throw new TunnoxError('unavailable', 'Another run over this zone has not ended yet: try again', { retryAfterS: 5 });
  }

  async runs(caller: Caller, zoneId: number, query: PageQuery): Promise<Page<'runs', DnsRun>> {
    await this.#load(caller, zoneId);
    return toNewestPage('runs', query, await this.#deps.zones.runs(zoneId, toNewestPageRequest(query)));
  }

  async #load(caller: Caller, zoneId: number): Promise<DnsZoneRow> {
    refuseClients(caller);
    const row = await this.#deps.zones.find(zoneId, tenantOf(caller.principal));
    if (row === null) throw notFound('DNS zone', zoneId);
    return row;
  }

  #domainOf({ principal }: Caller, wish: string): string {
    const checked = asciiName(wish.endsWith('.') ? wish.slice(0, -1) : wish, { wildcard: false });
    if (!checked.ok) throw invalid('/domain', NAME_FAULTS[checked.fault]);
    const { name } = checked;
    if (!name.includes('.')) throw invalid('/domain', 'must be a whole domain name');
    const isOurs = this.#options.baseDomains.some((base) => isWithin(name, base) || isWithin(base, name));
    if (isOurs && principal.role !== 'operator') throw invalid('/domain', 'belongs to the platform');
    return name;
  }
}

function toZone({ tag, ...row }: DnsZoneRow): DnsZone {
  return { ...row, mark: ownershipMark(tag) };
}

function requireOperatorsZone(websiteGroup: string | null, userId: number | null): void {
  if (websiteGroup === null || userId === null) return;
  throw invalid('/website_group', 'is for zones of operators: base domains lie in them');
}

function newTag(): string {
  return Array.from({ length: TAG_LENGTH }, () => TAG_ALPHABET[randomInteger(TAG_ALPHABET.length)] ?? 'a').join('');
}
