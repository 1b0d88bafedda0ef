import type { Page, PageQuery } from '@tunnox/domain/api/common';
import type { CreateDnsCredential, DnsCredential, UpdateDnsCredential } from '@tunnox/domain/api/dns';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { auditOf } from './audit.ts';
import type { DnsCredentialRepository, DnsCredentialRow, ZoneFinder, ZoneOwners } from './dns-ports.ts';
import type { IfVersion } from './if-version.ts';
import type { KeyedCipher } from './keyed-cipher.ts';
import { toPage, toPageRequest } from './page.ts';
import { type Caller, invalid, notFound, refuseClients, tenantOf } from './principal.ts';
import { isPrivateHost } from './private-host.ts';

export interface DnsCredentialServiceDeps {
  credentials: DnsCredentialRepository;
  finder: Pick<ZoneFinder, 'callsMax'>;
  owners: Pick<ZoneOwners, 'wake'>;
  /** For tokens. */
  cipher: KeyedCipher;
}

/** Tokens of DNS providers: they go in and never out. */
export class DnsCredentialService {
  readonly #deps: DnsCredentialServiceDeps;

  constructor(deps: DnsCredentialServiceDeps) {
    this.#deps = deps;
  }

  async create(caller: Caller, body: CreateDnsCredential): Promise<DnsCredential> {
    refuseClients(caller);
    const { name, provider, token, endpoint } = body;
    if (provider === 'powerdns' && endpoint === undefined) {
      throw invalid('/endpoint', 'must be given for powerdns: the URL of its API');
    }
    if (endpoint !== undefined) checkEndpoint(caller, endpoint);
    const userId = caller.principal.role === 'operator' ? null : caller.principal.userId;
    const credentialId = await this.#deps.credentials.create(
      { userId, name, provider, tokenEncrypted: await this.#seal(token), endpoint: endpoint ?? null },
      auditOf(caller, 'dns_credential.create', { after: { name, provider, endpoint: endpoint ?? null } }),
    );
    return await this.find(caller, credentialId);
  }

  async find(caller: Caller, credentialId: number): Promise<DnsCredential> {
    return this.#show(await this.#load(caller, credentialId));
  }

  async list(caller: Caller, query: PageQuery): Promise<Page<'credentials', DnsCredential>> {
    refuseClients(caller);
    const page = await this.#deps.credentials.list(tenantOf(caller.principal), toPageRequest(query));
    const items = page.rows.map((row) => this.#show(row));
    return toPage('credentials', query, page, items, (row) => row.credential_id);
  }

  async update(
    caller: Caller,
    credentialId: number,
    body: UpdateDnsCredential,
    ifVersion: IfVersion,
  ): Promise<DnsCredential> {
    const before = await this.#load(caller, credentialId);
    const { name, token, endpoint } = body;
    if (endpoint !== undefined) checkEndpoint(caller, endpoint);
    const tokenEncrypted = token === undefined ? undefined : await this.#seal(token);
    const audit = auditOf(caller, 'dns_credential.update', {
      before: { name: before.name, endpoint: before.endpoint },
      after: { name, endpoint, ...(token === undefined ? {} : { token: 'changed' }) },
    });
    const change = { name, tokenEncrypted, endpoint };
    const zoneIds = await this.#deps.credentials.update(credentialId, change, audit, ifVersion);
    if (zoneIds === null) throw notFound('DNS credential', credentialId);
    await Promise.all(zoneIds.map((zoneId) => this.#deps.owners.wake(zoneId)));
    return await this.find(caller, credentialId);
  }

  async remove(caller: Caller, credentialId: number, ifVersion: IfVersion): Promise<void> {
    const { name, provider } = await this.#load(caller, credentialId);
    const audit = auditOf(caller, 'dns_credential.delete', { before: { name, provider } });
    switch (await this.#deps.credentials.remove(credentialId, audit, ifVersion)) {
      case 'done':
        return;
      case 'in_use':
        throw new TunnoxError(
          'conflict',
          'Zones are reached by this credential: give them another one, or remove them',
        );
      case 'gone':
        throw notFound('DNS credential', credentialId);
    }
  }

  async #load(caller: Caller, credentialId: number): Promise<DnsCredentialRow> {
    refuseClients(caller);
    const row = await this.#deps.credentials.find(credentialId, tenantOf(caller.principal));
    if (row === null) throw notFound('DNS credential', credentialId);
    return row;
  }

  #seal(token: string): Promise<string> {
    return this.#deps.cipher.encrypt(new TextEncoder().encode(token));
  }

  #show(row: DnsCredentialRow): DnsCredential {
    return { ...row, calls_max: this.#deps.finder.callsMax(row.provider) };
  }
}

/** A tenant's endpoint is on the internet, and the token travels encrypted; operators know their network. */
function checkEndpoint({ principal }: Caller, endpoint: string): void {
  const url = new URL(endpoint);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw invalid('/endpoint', 'must be an https URL');
  if (url.username !== '' || url.password !== '')
    throw invalid('/endpoint', 'must not have a user or a password in it');
  if (url.search !== '' || url.hash !== '') throw invalid('/endpoint', 'must not have a query or a fragment');
  if (principal.role === 'operator') return;
  if (url.protocol !== 'https:') throw invalid('/endpoint', 'must be an https URL');
  if (isPrivateHost(url.hostname)) throw invalid('/endpoint', 'must be a public host');
}
