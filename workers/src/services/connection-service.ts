import type { Connection, ConnectionsQuery } from '@tunnox/domain/api/connections';
import type { Page } from '@tunnox/domain/api/common';
import type { ConnectionsRequest } from '@tunnox/domain/relay-api';
import { type NewestPageRequest, type PageRows, toNewestPage, toNewestPageRequest } from './page.ts';
import { type Caller, requireVisibleUser, type Tenant, tenantOf } from './principal.ts';

/** Which of the log's lines are wanted. */
export interface ConnectionFilter {
  /** All of them must be it: two different ones match nothing. */
  bindingIds: string[];
  clientId: number | undefined;
  userId: number | undefined;
  from: string | undefined;
  to: string | undefined;
}

export interface ConnectionRepository {
  /** Keeps each tunnel once, with the team that its client is in now. */
  add(nodeId: string, connections: ConnectionsRequest['connections']): Promise<void>;
  list(
    filter: ConnectionFilter,
    tenant: Tenant,
    page: NewestPageRequest,
  ): Promise<PageRows<Connection & { id: number }>>;
}

/** The log of tunnels that have ended. */
export class ConnectionService {
  readonly #connections: ConnectionRepository;

  constructor(deps: { connections: ConnectionRepository }) {
    this.#connections = deps.connections;
  }

  /** What a relay tells; told twice it counts once. */
  async add(nodeId: string, { connections }: ConnectionsRequest): Promise<void> {
    if (connections.length > 0) await this.#connections.add(nodeId, connections);
  }

  async list(caller: Caller, query: ConnectionsQuery): Promise<Page<'connections', Connection>> {
    const { binding_id, mapping_id, domain_id, client_id: clientId, user_id: userId, from, to } = query;
    if (userId !== undefined) requireVisibleUser(caller, userId);
    const bindingIds = [
      ...(binding_id === undefined ? [] : [binding_id]),
      ...(mapping_id === undefined ? [] : [`mapping:${mapping_id}`]),
      ...(domain_id === undefined ? [] : [`domain:${domain_id}`]),
    ];
    const filter = { bindingIds, clientId, userId, from, to };
    const page = await this.#connections.list(filter, tenantOf(caller.principal), toNewestPageRequest(query));
    return toNewestPage<'connections', Connection>('connections', query, page);
  }
}
