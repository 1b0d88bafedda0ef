import type { Page, PageQuery } from '@tunnox/domain/api/common';
import type { DeliveredMapping, Mapping, UpdateMapping } from '@tunnox/domain/api/mappings';
import type { Presence } from '@tunnox/domain/presence';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { auditOf } from './audit.ts';
import type { MappingFilter, MappingOutcome, MappingRecord, MappingRepository, NewMapping } from './binding-ports.ts';
import { bindingState, concernedClients } from './binding-state.ts';
import type { ChangeTeller } from './change-teller.ts';
import type { ClientLookup } from './client-lookup.ts';
import { overQuota } from './client-service.ts';
import { type CreateMappingInput, toNewMapping } from './mapping-input.ts';
import type { IfVersion } from './if-version.ts';
import { toPage, toPageRequest } from './page.ts';
import type { Cipher, PresenceReader } from './ports.ts';
import {
  type Caller,
  invalid,
  loginRequired,
  notFound,
  requireVisibleUser,
  requireWrite,
  tenantOf,
} from './principal.ts';
import { portUrl } from './public-urls.ts';
import { findNewUpstreams, findUpstreams } from './upstream-input.ts';
import type { WaitingReader } from './waiting-reader.ts';

export interface MappingServiceDeps {
  mappings: MappingRepository;
  clients: ClientLookup;
  presences: PresenceReader;
  waiting: WaitingReader;
  teller: ChangeTeller;
  /** Encrypts the mappings' secrets. */
  secrets: Cipher;
}

/** Port mappings: from a port at a source client, or from a public port of a relay group, to a target. */
export class MappingService {
  readonly #deps: MappingServiceDeps;

  constructor(deps: MappingServiceDeps) {
    this.#deps = deps;
  }

  async create(caller: Caller, body: CreateMappingInput): Promise<DeliveredMapping> {
    const wish = { clientId: body.target_client_id, upstreams: body.upstreams };
    const { first: target, upstreams } = await findUpstreams(this.#deps.clients, caller, wish, '/target_client_id');
    const userId = target.user_id;
    if (userId === null) {
      throw loginRequired('Log in first: anonymous clients publish one random HTTP name, and no ports or mappings');
    }
    if (body.user_id !== undefined && body.user_id !== userId) throw notFound('client', target.client_id);
    const mapping = await toNewMapping(this.#deps, caller, body, {
      ...{ userId, namespaceId: target.namespace_id, upstreams },
    });
    const { source_client_id, protocol, target_host, target_port, local_port, remote_port } = body;
    const audit = auditOf(caller, 'mapping.create', {
      after: {
        source_client_id,
        target_client_id: target.client_id,
        upstreams,
        protocol,
        target_host,
        target_port,
        local_port,
        remote_port,
      },
    });
    const done = demand(await this.#deps.mappings.create(mapping, audit), mapping);
    const delivery = await this.#deps.teller.untilApplied(done.outboxIds);
    return { ...(await this.find(caller, done.mappingId)), delivery };
  }

  async find(caller: Caller, mappingId: number): Promise<Mapping> {
    const record = await this.#load(caller, mappingId);
    const presences = await this.#deps.presences.read(concernedClients(record));
    return toMapping(record, presences, await this.#deps.waiting.read([record], presences));
  }

  async list(caller: Caller, query: PageQuery & MappingFilter): Promise<Page<'mappings', Mapping>> {
    const page = await this.#deps.mappings.list(query, tenantOf(caller.principal), toPageRequest(query));
    const ids = new Set(page.rows.flatMap(concernedClients));
    const presences = await this.#deps.presences.read([...ids]);
    const waiting = await this.#deps.waiting.read(page.rows, presences);
    const items = page.rows.map((record) => toMapping(record, presences, waiting));
    return toPage('mappings', query, page, items, (record) => record.mapping_id);
  }

  async listOfUser(
    caller: Caller,
    userId: number,
    query: PageQuery & MappingFilter,
  ): Promise<Page<'mappings', Mapping>> {
    requireVisibleUser(caller, userId);
    return await this.list(caller, { ...query, userId });
  }

  /** Those of which the client is source or target. */
  async listOfClient(
    caller: Caller,
    clientId: number,
    query: PageQuery & MappingFilter,
  ): Promise<Page<'mappings', Mapping>> {
    const client = await this.#deps.clients.find(clientId, tenantOf(caller.principal));
    if (client === null) throw notFound('client', clientId);
    return await this.list(caller, { ...query, clientId });
  }

  async update(
    caller: Caller,
    mappingId: number,
    body: UpdateMapping,
    ifVersion: IfVersion,
  ): Promise<DeliveredMapping> {
    const record = await this.#load(caller, mappingId);
    requireWrite(caller, record);
    const isPublic = record.source_client_id === null;
    if (body.local_port !== undefined && isPublic) throw invalid('/local_port', 'is for private mappings only');
    if (body.remote_port !== undefined && !isPublic) throw invalid('/remote_port', 'is for public mappings only');
    if (record.protocol === 'socks5' && (body.target_host !== undefined || body.target_port !== undefined)) {
      throw invalid('/target_host', 'is not allowed with socks5: the source names its targets');
    }
    const upstreams = await findNewUpstreams(this.#deps.clients, caller, { upstreams: body.upstreams }, record);
    if (upstreams?.some(({ client_id }) => client_id === record.source_client_id) === true) {
      throw invalid('/upstreams', 'must not name the source client');
    }
    const change = {
      upstreams,
      name: body.name,
      targetHost: body.target_host,
      targetPort: body.target_port,
      localPort: body.local_port,
      remotePort: body.remote_port,
      enabled: body.enabled,
      access: body.access,
    };
    const { name, target_host, target_port, local_port, remote_port, enabled, access, upstreams: served } = record;
    const audit = auditOf(caller, 'mapping.update', {
      before: { name, target_host, target_port, local_port, remote_port, enabled, access, upstreams: served },
      after: body,
    });
    const outcome = await this.#deps.mappings.update(record, change, audit, ifVersion);
    const done = demand(outcome, { remotePort: body.remote_port ?? null, relayGroup: record.relay_group ?? '' });
    const delivery = await this.#deps.teller.untilApplied(done.outboxIds);
    return { ...(await this.find(caller, mappingId)), delivery };
  }

  async remove(caller: Caller, mappingId: number, ifVersion: IfVersion): Promise<void> {
    const record = await this.#load(caller, mappingId);
    requireWrite(caller, record);
    const { source_client_id, target_client_id, protocol, relay_group, remote_port, local_port } = record;
    const audit = auditOf(caller, 'mapping.delete', {
      before: { source_client_id, target_client_id, protocol, relay_group, remote_port, local_port },
    });
    await this.#deps.teller.onItsWay(await this.#deps.mappings.remove(record, audit, ifVersion));
  }

  async #load(caller: Caller, mappingId: number): Promise<MappingRecord> {
    const record = await this.#deps.mappings.find(mappingId, tenantOf(caller.principal));
    if (record === null) throw notFound('mapping', mappingId);
    return record;
  }
}

function demand(
  outcome: MappingOutcome,
  asked: NewMapping | { remotePort: number | null; relayGroup: string },
): { mappingId: number; outboxIds: number[] } {
  switch (outcome.outcome) {
    case 'done':
      return outcome;
    case 'over_quota':
      throw overQuota('mappings and domains', outcome);
    case 'port_taken': {
      const port = 'remotePort' in asked ? asked.remotePort : null;
      throw new TunnoxError('port_taken', port === null ? 'No port of the pool is free' : `Port ${port} is taken`);
    }
    case 'no_pool': {
      const group = 'relayGroup' in asked ? asked.relayGroup : '';
      const port = 'remotePort' in asked ? asked.remotePort : null;
      throw port === null
        ? invalid('/relay_group', `must be a group with public ports: ${group} has none now`)
        : invalid(
            '/remote_port',
            `must be in the port pool of a relay of group ${group}; leave it out to get a free port`,
          );
    }
    case 'gone':
      throw new TunnoxError('conflict', 'The mapping, or a client of it, was deleted meanwhile');
  }
}

function toMapping(
  { addresses, ...record }: MappingRecord,
  presences: ReadonlyMap<number, Presence>,
  waiting: ReadonlySet<string>,
): Mapping {
  const { remote_port: port, protocol } = record;
  return {
    ...record,
    ...bindingState(record, presences, waiting.has(`mapping:${record.mapping_id}`)),
    urls: port === null ? [] : [...new Set(addresses.map((address) => portUrl(protocol, address, port)))],
  };
}
