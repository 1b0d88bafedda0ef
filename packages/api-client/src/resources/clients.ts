import {
  type ClaimClient,
  type ClaimedClient,
  claimedClientSchema,
  type Client,
  clientSchema,
  clientsPageSchema,
  type CreateClient,
  type CreatedClient,
  createdClientSchema,
  type RotatedCode,
  rotatedCodeSchema,
  type UpdateClient,
} from '@tunnox/domain/api/clients';
import type { Page } from '@tunnox/domain/api/common';
import { type Mapping, mappingsPageSchema } from '@tunnox/domain/api/mappings';
import type { MappingsFilter } from './mappings.ts';
import { type CallOptions, type ChangeOptions, type ListQuery, Resource, V1 } from '../resource.ts';

export interface ClientsFilter extends ListQuery {
  type?: Client['client_type'];
  status?: 'active' | 'disabled' | 'claimed' | 'suspended';
  /** Part of the name. */
  q?: string;
}

export interface ClientsQuery extends ClientsFilter {
  /** Operators. */
  user_id?: number;
  namespace_id?: number;
}

/** Identities of agents. */
export class Clients extends Resource {
  /** @throws {ApiError} `quota_exceeded` with `limit` and `current` */
  create(client: CreateClient, options?: ChangeOptions): Promise<CreatedClient> {
    return this.post(`${V1}/clients`, client, createdClientSchema, options);
  }

  list(query: ClientsQuery = {}, options?: CallOptions): Promise<Page<'clients', Client>> {
    return this.read(`${V1}/clients`, clientsPageSchema, query, options);
  }

  get(clientId: number, options?: CallOptions): Promise<Client> {
    return this.read(`${V1}/clients/${clientId}`, clientSchema, {}, options);
  }

  update(clientId: number, change: UpdateClient, options?: ChangeOptions): Promise<Client> {
    return this.put(`${V1}/clients/${clientId}`, change, clientSchema, options);
  }

  delete(clientId: number, options?: ChangeOptions): Promise<void> {
    return this.remove(`${V1}/clients/${clientId}`, options);
  }

  /** Sends its agent away; it may come back. */
  disconnect(clientId: number, options?: ChangeOptions): Promise<void> {
    return this.command(`${V1}/clients/${clientId}/disconnect`, {}, options);
  }

  /** The old code and every ticket made by it are void. */
  rotateCode(clientId: number, options?: ChangeOptions): Promise<RotatedCode> {
    return this.post(`${V1}/clients/${clientId}/rotate-code`, {}, rotatedCodeSchema, options);
  }

  /** Turns an anonymous client into a managed one, its names kept; its agent goes on by itself. */
  claim(claim: ClaimClient, options?: ChangeOptions): Promise<ClaimedClient> {
    return this.post(`${V1}/clients/claim`, claim, claimedClientSchema, options);
  }

  /** Mappings of which the client is source or target. */
  mappings(clientId: number, query: MappingsFilter = {}, options?: CallOptions): Promise<Page<'mappings', Mapping>> {
    return this.read(`${V1}/clients/${clientId}/mappings`, mappingsPageSchema, query, options);
  }
}
