import type { Availability, DeliveredDomain, Domain, UpdateDomain } from '@tunnox/domain/api/domains';
import type { Page, PageQuery } from '@tunnox/domain/api/common';
import type { Presence } from '@tunnox/domain/presence';
import { auditOf } from './audit.ts';
import type {
  AccessRules,
  DomainFilter,
  DomainOutcome,
  DomainRecord,
  DomainRepository,
  NewDomain,
  UpstreamRow,
} from './binding-ports.ts';
import { concernedClients } from './binding-state.ts';
import type { ChangeTeller } from './change-teller.ts';
import type { ClientLookup } from './client-lookup.ts';
import type { DnsOwners } from './dns-owners.ts';
import { ownsName, toDomain, unlessTaken } from './domain-view.ts';
import { type DomainNames, refusal } from './domain-names.ts';
import type { IfVersion } from './if-version.ts';
import { toPage, toPageRequest } from './page.ts';
import type { PresenceReader } from './ports.ts';
import { type Caller, loginRequired, notFound, requireWrite, tenantOf } from './principal.ts';
import type { PublicUrls } from './public-urls.ts';
import { findNewUpstreams, findUpstreams, requireOwnUpstreams } from './upstream-input.ts';
import type { WaitingReader } from './waiting-reader.ts';

export interface DomainServiceDeps {
  domains: DomainRepository;
  names: DomainNames;
  clients: ClientLookup;
  presences: PresenceReader;
  waiting: WaitingReader;
  teller: ChangeTeller;
  urls: PublicUrls;
  /** DNS records that follow domains. */
  dnsOwners: Pick<DnsOwners, 'domainsChanged'>;
  /** The proof of a tenant for a name. */
  proofToken: (userId: number, fullDomain: string) => Promise<string>;
}

/** A create as the schema gives it, with its defaults. */
export interface CreateDomainInput {
  subdomain?: string | undefined;
  domain?: string | undefined;
  base_domain?: string | undefined;
  client_id?: number | undefined;
  upstreams?: UpstreamRow[] | undefined;
  target_host: string;
  target_port: number;
  target_scheme: 'http' | 'https';
  host_header: string | null;
  tls_mode: 'terminate' | 'off';
  enabled: boolean;
  access?: AccessRules | undefined;
}

/** So many random names are tried when somebody has them. */
const RANDOM_TRIES_MAX = 5;

/** HTTP domains: names under a base domain, and custom ones. */
export class DomainService {
  readonly #deps: DomainServiceDeps;

  constructor(deps: DomainServiceDeps) {
    this.#deps = deps;
  }

  async create(caller: Caller, body: CreateDomainInput): Promise<DeliveredDomain> {
    const wish = { clientId: body.client_id, upstreams: body.upstreams };
    requireOwnUpstreams(caller, wish, null);
    const { first: client, upstreams } = await findUpstreams(this.#deps.clients, caller, wish, '/client_id');
    const chosen = body.subdomain ?? body.domain;
    if (chosen !== undefined && client.user_id === null && caller.principal.role !== 'operator') {
      throw loginRequired(`Log in first to choose a name: anonymous clients get a random one instead of ${chosen}`);
    }
    const base: Omit<NewDomain, 'fullDomain' | 'under' | 'verified' | 'proofToken'> = {
      userId: client.user_id,
      namespaceId: client.namespace_id,
      clientId: client.client_id,
      upstreams,
      targetScheme: body.target_scheme,
      targetHost: body.target_host,
      targetPort: body.target_port,
      hostHeader: body.host_header,
      tlsMode: body.tls_mode,
      enabled: body.enabled,
      access: body.access ?? { allow: [], deny: [] },
    };
    for (let tries = 1; ; tries += 1) {
      const name = await this.#deps.names.choose(body, client.user_id);
      // Only operators can say without a proof whose name it is.
      const { user_id: userId } = client;
      const proofToken =
        name.under !== null || caller.principal.role === 'operator' || userId === null
          ? null
          : await this.#deps.proofToken(userId, name.fullDomain);
      const verified = proofToken === null;
      const domain = { ...base, ...name, verified, proofToken };
      const { target_scheme, target_host, target_port } = body;
      const audit = auditOf(caller, 'domain.create', {
        after: { full_domain: name.fullDomain, upstreams, target_scheme, target_host, target_port },
      });
      const outcome = await this.#deps.domains.create(domain, audit);
      if (outcome.outcome === 'taken' && chosen === undefined && tries < RANDOM_TRIES_MAX) continue;
      const done = unlessTaken(await this.#asSeenBy(caller, outcome), name.fullDomain);
      if (name.under === null) await this.#deps.dnsOwners.domainsChanged(userId);
      const delivery = await this.#deps.teller.untilApplied(done.outboxIds);
      return { ...(await this.find(caller, done.domainId)), delivery };
    }
  }

  async find(caller: Caller, domainId: number): Promise<Domain> {
    const record = await this.#load(caller, domainId);
    const presences = await this.#deps.presences.read(concernedClients(record));
    return this.#show(record, presences, await this.#deps.waiting.read([record], presences));
  }

  async list(caller: Caller, query: PageQuery & DomainFilter): Promise<Page<'domains', Domain>> {
    const page = await this.#deps.domains.list(query, tenantOf(caller.principal), toPageRequest(query));
    const ids = new Set(page.rows.flatMap(concernedClients));
    const presences = await this.#deps.presences.read([...ids]);
    const waiting = await this.#deps.waiting.read(page.rows, presences);
    const items = page.rows.map((record) => this.#show(record, presences, waiting));
    return toPage('domains', query, page, items, (record) => record.domain_id);
  }

  async update(caller: Caller, domainId: number, body: UpdateDomain, ifVersion: IfVersion): Promise<DeliveredDomain> {
    const record = await this.#load(caller, domainId);
    requireWrite(caller, record);
    const wish = { clientId: body.client_id, upstreams: body.upstreams };
    const change = {
      // A name goes from one client to another of the same owner only, and an agent does not give it to another.
      upstreams: await findNewUpstreams(this.#deps.clients, caller, wish, record),
      targetScheme: body.target_scheme,
      targetHost: body.target_host,
      targetPort: body.target_port,
      hostHeader: body.host_header,
      tlsMode: body.tls_mode,
      enabled: body.enabled,
      access: body.access,
    };
    const { upstreams, target_scheme, target_host, target_port, host_header, tls_mode, enabled, access } = record;
    const audit = auditOf(caller, 'domain.update', {
      before: { upstreams, target_scheme, target_host, target_port, host_header, tls_mode, enabled, access },
      after: body,
    });
    const done = unlessTaken(await this.#deps.domains.update(record, change, audit, ifVersion), record.full_domain);
    const delivery = await this.#deps.teller.untilApplied(done.outboxIds);
    return { ...(await this.find(caller, domainId)), delivery };
  }

  async remove(caller: Caller, domainId: number, ifVersion: IfVersion): Promise<void> {
    const record = await this.#load(caller, domainId);
    requireWrite(caller, record);
    const { full_domain, client_id } = record;
    const audit = auditOf(caller, 'domain.delete', { before: { full_domain, client_id } });
    const outboxIds = await this.#deps.domains.remove(record, audit, ifVersion);
    await this.#deps.dnsOwners.domainsChanged(record.user_id);
    await this.#deps.teller.onItsWay(outboxIds);
  }

  /** @param name A label under a base domain, or a whole name. */
  async availability(caller: Caller, name: string, baseDomain: string | undefined): Promise<Availability> {
    const userId = caller.principal.role === 'operator' ? null : caller.principal.userId;
    const checked = await this.#deps.names.check(name, baseDomain, userId);
    if (!checked.ok) {
      const { publicMessage } = refusal(name, checked, '/name');
      return { name, full_domain: null, available: false, reason: checked.fault, detail: publicMessage };
    }
    const { fullDomain } = checked.name;
    const holder = await this.#deps.domains.holder(fullDomain);
    if (holder === null) return { name, full_domain: fullDomain, available: true, reason: null, detail: null };
    const yours = ownsName(caller, holder);
    const detail = yours ? `${fullDomain} is yours` : `${fullDomain} is taken`;
    return { name, full_domain: fullDomain, available: false, reason: yours ? 'yours' : 'taken', detail };
  }

  /** A name of the same user that another of its clients serves: not for this client to change. */
  async #asSeenBy(caller: Caller, outcome: DomainOutcome): Promise<DomainOutcome> {
    if (outcome.outcome !== 'taken' || outcome.domainId === null) return outcome;
    const seen = await this.#deps.domains.find(outcome.domainId, tenantOf(caller.principal));
    return seen === null ? { outcome: 'taken', domainId: null } : outcome;
  }

  #show(record: DomainRecord, presences: ReadonlyMap<number, Presence>, waiting: ReadonlySet<string>): Domain {
    const { urls, names } = this.#deps;
    return toDomain(record, { presences, waiting }, { urls, baseDomain: names.baseDomains[0] });
  }

  async #load(caller: Caller, domainId: number): Promise<DomainRecord> {
    const record = await this.#deps.domains.find(domainId, tenantOf(caller.principal));
    if (record === null) throw notFound('domain', domainId);
    return record;
  }
}
