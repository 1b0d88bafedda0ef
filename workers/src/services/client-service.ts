import type { Client, CreatedClient, RotatedCode, UpdateClient } from '@tunnox/domain/api/clients';
import type { Page, PageQuery } from '@tunnox/domain/api/common';
import type { Presence } from '@tunnox/domain/presence';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { auditOf } from './audit.ts';
import type { ChangeTeller } from './change-teller.ts';
import { clientDisabled } from './client-disabled.ts';
import type { ClientFilter, ClientRecord, ClientRepository, OverQuota } from './client-ports.ts';
import type { IfVersion } from './if-version.ts';
import { toPage, toPageRequest } from './page.ts';
import type { PresenceReader } from './ports.ts';
import {
  type Caller,
  chooseOwner,
  invalid,
  notFound,
  refuseClients,
  requireOperator,
  requireVisibleUser,
  requireWrite,
  tenantOf,
} from './principal.ts';
import type { DnsOwners } from './dns-owners.ts';
import { randomBytes, sha256Hex, toBase64Url } from './random.ts';

export interface ClientServiceDeps {
  clients: ClientRepository;
  presences: PresenceReader;
  teller: ChangeTeller;
  /** DNS records that follow domains. */
  dnsOwners: Pick<DnsOwners, 'domainsChanged'>;
}

const AUTH_CODE_BYTES = 24;

/** Clients: the identities of agents. */
export class ClientService {
  readonly #deps: ClientServiceDeps;

  constructor(deps: ClientServiceDeps) {
    this.#deps = deps;
  }

  async create(
    caller: Caller,
    body: {
      user_id?: number | undefined;
      namespace_id?: number | null | undefined;
      client_name: string;
      client_desc: string;
    },
  ): Promise<CreatedClient> {
    const { userId, namespaceId } = chooseOwner(caller, body);
    refuseClients(caller);
    const authCode = newAuthCode();
    const { client_name: name, client_desc: description } = body;
    const outcome = await this.#deps.clients.create(
      { userId, namespaceId, name, description, authCodeHash: await sha256Hex(authCode) },
      auditOf(caller, 'client.create', { after: { name, description, namespace_id: namespaceId } }),
    );
    switch (outcome.outcome) {
      case 'no_user':
        throw notFound(namespaceId === null ? 'user' : 'namespace', namespaceId ?? userId);
      case 'over_quota':
        throw overQuota('clients', outcome);
      case 'done': {
        const { created_at } = await this.load(caller, outcome.clientId);
        return {
          client_id: outcome.clientId,
          auth_code: authCode,
          user_id: userId,
          namespace_id: namespaceId,
          client_name: name,
          client_desc: description,
          client_type: 'managed',
          status: 'offline',
          created_at,
        };
      }
    }
  }

  async find(caller: Caller, clientId: number): Promise<Client> {
    const record = await this.load(caller, clientId);
    const presences = await this.#deps.presences.read([clientId]);
    return toClient(record, presences);
  }

  async list(caller: Caller, query: PageQuery & ClientFilter): Promise<Page<'clients', Client>> {
    const page = await this.#deps.clients.list(query, tenantOf(caller.principal), toPageRequest(query));
    const presences = await this.#deps.presences.read(page.rows.map((client) => client.client_id));
    const items = page.rows.map((record) => toClient(record, presences));
    return toPage('clients', query, page, items, (client) => client.client_id);
  }

  async listOfUser(caller: Caller, userId: number, query: PageQuery & ClientFilter): Promise<Page<'clients', Client>> {
    requireVisibleUser(caller, userId);
    return await this.list(caller, { ...query, userId });
  }

  async update(caller: Caller, clientId: number, body: UpdateClient, ifVersion: IfVersion): Promise<Client> {
    const record = await this.#loadForChange(caller, clientId);
    const { client_name: name, client_desc: description, enabled } = body;
    const suspended = suspensionIn(caller, body);
    // Lifted by operators only; they may switch it on beforehand.
    if (enabled === true && record.suspended && caller.principal.role !== 'operator') {
      throw clientDisabled(clientId, { reason: record.suspended_reason });
    }
    const outboxIds = await this.#deps.clients.update(
      record,
      { name, description, enabled, suspended },
      auditOf(caller, 'client.update', { before: summary(record), after: body }),
      ifVersion,
    );
    await this.#deps.teller.onItsWay(outboxIds);
    return await this.find(caller, clientId);
  }

  async remove(caller: Caller, clientId: number, ifVersion: IfVersion): Promise<void> {
    const record = await this.#loadForChange(caller, clientId, true);
    const audit = auditOf(caller, 'client.delete', { before: summary(record) });
    const outboxIds = await this.#deps.clients.remove(record, audit, ifVersion);
    // Domains that only it has served are gone with it.
    await this.#deps.dnsOwners.domainsChanged(record.user_id);
    await this.#deps.teller.onItsWay(outboxIds);
  }

  /** The new code is in this answer only; the agent must be given it. */
  async rotateCode(caller: Caller, clientId: number, ifVersion: IfVersion): Promise<RotatedCode> {
    const record = await this.#loadForChange(caller, clientId);
    const authCode = newAuthCode();
    const audit = auditOf(caller, 'client.rotate_code', { after: { auth_code: 'changed' } });
    const outboxIds = await this.#deps.clients.rotateCode(record, await sha256Hex(authCode), audit, ifVersion);
    await this.#deps.teller.onItsWay(outboxIds);
    return { client_id: clientId, auth_code: authCode };
  }

  async disconnect(caller: Caller, clientId: number, ifVersion: IfVersion): Promise<void> {
    const record = await this.#loadForChange(caller, clientId);
    const audit = auditOf(caller, 'client.disconnect', {});
    await this.#deps.teller.onItsWay(await this.#deps.clients.disconnect(record, audit, ifVersion));
  }

  /** @param claimedToo Of a claimed client nothing is left to change, but it may be removed. */
  async #loadForChange(caller: Caller, clientId: number, claimedToo = false): Promise<ClientRecord> {
    refuseClients(caller);
    const record = await this.load(caller, clientId);
    requireWrite(caller, record);
    if (record.state === 'claimed' && !claimedToo) {
      throw new TunnoxError('client_claimed', `Client ${clientId} was claimed: change what it has become`);
    }
    return record;
  }

  /** @throws {TunnoxError} `not_found` also for another tenant's. */
  async load(caller: Caller, clientId: number): Promise<ClientRecord> {
    const record = await this.#deps.clients.find(clientId, tenantOf(caller.principal));
    if (record === null) throw notFound('client', clientId);
    return record;
  }
}

/** 192 random bits in base64url. */
export function newAuthCode(): string {
  return toBase64Url(randomBytes(AUTH_CODE_BYTES));
}

export function overQuota(what: string, { limit, current }: OverQuota): TunnoxError {
  return new TunnoxError('quota_exceeded', `The quota allows ${limit} ${what}, and ${current} are in use`, {
    details: { limit, current },
  });
}

function toClient({ state, ...record }: ClientRecord, presences: Map<number, Presence>): Client {
  const presence = state === 'active' ? presences.get(record.client_id) : undefined;
  return {
    ...record,
    status: state === 'active' ? (presence === undefined ? 'offline' : 'online') : state,
    node_id: presence?.node_id ?? null,
    attached_at: presence?.attached_at ?? null,
  };
}

function summary({ client_name, client_desc, state, suspended }: ClientRecord): object {
  return { client_name, client_desc, state, suspended };
}

/** @returns undefined: it stays as it is. @throws {TunnoxError} `forbidden`, `invalid` */
function suspensionIn(caller: Caller, body: UpdateClient): { reason: string | null } | null | undefined {
  const { suspended, suspended_reason: reason } = body;
  if (suspended === undefined && reason === undefined) return undefined;
  requireOperator(caller);
  if (suspended === undefined) throw invalid('/suspended_reason', 'goes with suspended');
  return suspended ? { reason: reason ?? null } : null;
}
