import {
  type Client,
  type CreateClient,
  type CreatedClient,
  clientSchema,
  clientsPageSchema,
  createdClientSchema,
  type RotatedCode,
  rotatedCodeSchema,
  type UpdateClient,
} from '@tunnox/domain/api/clients';
import type { Page } from '@tunnox/domain/api/common';
import {
  type Availability,
  availabilitySchema,
  type CreateDomain,
  type DeliveredDomain,
  type Domain,
  deliveredDomainSchema,
  domainSchema,
  domainsPageSchema,
  type UpdateDomain,
} from '@tunnox/domain/api/domains';
import {
  type CreateMapping,
  type DeliveredMapping,
  deliveredMappingSchema,
  type Mapping,
  mappingSchema,
  mappingsPageSchema,
  type UpdateMapping,
} from '@tunnox/domain/api/mappings';
import { type Route, routeSchema } from '@tunnox/domain/api/routes';
import { type Me, meSchema } from '@tunnox/domain/api/users';
import { type ListQuery, Resource } from './resource.ts';

const V1 = '/api/v1';

/**
 * What users, and agents for themselves, do by `/api/v1`: clients, mappings, names. Every call throws `ApiError`; ids
 * that are not the caller's are `not_found`.
 */
export class ManagementApi extends Resource {
  /** Whose credential this is. */
  me(signal?: AbortSignal): Promise<Me> {
    return this.get(`${V1}/me`, meSchema, {}, signal);
  }

  /** @throws {ApiError} `quota_exceeded` with `limit` and `current` */
  createClient(client: CreateClient, signal?: AbortSignal): Promise<CreatedClient> {
    return this.post(`${V1}/clients`, client, createdClientSchema, signal);
  }

  clients(query: ListQuery = {}, signal?: AbortSignal): Promise<Page<'clients', Client>> {
    return this.get(`${V1}/clients`, clientsPageSchema, { ...query }, signal);
  }

  client(clientId: number, signal?: AbortSignal): Promise<Client> {
    return this.get(`${V1}/clients/${clientId}`, clientSchema, {}, signal);
  }

  updateClient(clientId: number, change: UpdateClient, signal?: AbortSignal): Promise<Client> {
    return this.put(`${V1}/clients/${clientId}`, change, clientSchema, signal);
  }

  deleteClient(clientId: number, signal?: AbortSignal): Promise<void> {
    return this.delete(`${V1}/clients/${clientId}`, signal);
  }

  /** The old code and every ticket made by it are void. */
  rotateCode(clientId: number, signal?: AbortSignal): Promise<RotatedCode> {
    return this.post(`${V1}/clients/${clientId}/rotate-code`, {}, rotatedCodeSchema, signal);
  }

  /** Waits up to 2 s for the agents; how far it came stands in `delivery`. */
  createMapping(mapping: CreateMapping, signal?: AbortSignal): Promise<DeliveredMapping> {
    return this.post(`${V1}/mappings`, mapping, deliveredMappingSchema, signal);
  }

  mappings(query: ListQuery = {}, signal?: AbortSignal): Promise<Page<'mappings', Mapping>> {
    return this.get(`${V1}/mappings`, mappingsPageSchema, { ...query }, signal);
  }

  /** Mappings of which the client is source or target. */
  clientMappings(clientId: number, query: ListQuery = {}, signal?: AbortSignal): Promise<Page<'mappings', Mapping>> {
    return this.get(`${V1}/clients/${clientId}/mappings`, mappingsPageSchema, { ...query }, signal);
  }

  mapping(mappingId: number, signal?: AbortSignal): Promise<Mapping> {
    return this.get(`${V1}/mappings/${mappingId}`, mappingSchema, {}, signal);
  }

  updateMapping(mappingId: number, change: UpdateMapping, signal?: AbortSignal): Promise<DeliveredMapping> {
    return this.put(`${V1}/mappings/${mappingId}`, change, deliveredMappingSchema, signal);
  }

  deleteMapping(mappingId: number, signal?: AbortSignal): Promise<void> {
    return this.delete(`${V1}/mappings/${mappingId}`, signal);
  }

  availability(name: string, signal?: AbortSignal): Promise<Availability> {
    return this.get(`${V1}/domains/availability`, availabilitySchema, { name }, signal);
  }

  /** @throws {ApiError} `subdomain_taken`; `conflict` with `domain_id` when the name is the caller's already */
  createDomain(domain: CreateDomain, signal?: AbortSignal): Promise<DeliveredDomain> {
    return this.post(`${V1}/domains`, domain, deliveredDomainSchema, signal);
  }

  domains(query: ListQuery = {}, signal?: AbortSignal): Promise<Page<'domains', Domain>> {
    return this.get(`${V1}/domains`, domainsPageSchema, { ...query }, signal);
  }

  domain(domainId: number, signal?: AbortSignal): Promise<Domain> {
    return this.get(`${V1}/domains/${domainId}`, domainSchema, {}, signal);
  }

  updateDomain(domainId: number, change: UpdateDomain, signal?: AbortSignal): Promise<DeliveredDomain> {
    return this.put(`${V1}/domains/${domainId}`, change, deliveredDomainSchema, signal);
  }

  deleteDomain(domainId: number, signal?: AbortSignal): Promise<void> {
    return this.delete(`${V1}/domains/${domainId}`, signal);
  }

  /** Where a host name leads now. */
  lookup(host: string, signal?: AbortSignal): Promise<Route> {
    return this.get(`${V1}/domains/lookup`, routeSchema, { host }, signal);
  }
}

/** Every item of a list, page after page, also while others are inserted. */
export async function* everyItem<Plural extends string, Item>(
  plural: Plural,
  list: (query: ListQuery) => Promise<Page<Plural, Item>>,
): AsyncGenerator<Item> {
  let cursor: string | null = null;
  do {
    const page: Page<Plural, Item> = await list(cursor === null ? { limit: 100 } : { limit: 100, cursor });
    yield* page[plural];
    cursor = page.next_cursor;
  } while (cursor !== null);
}
