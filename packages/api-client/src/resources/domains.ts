import type { Page } from '@tunnox/domain/api/common';
import {
  type Availability,
  availabilitySchema,
  type CreateDomain,
  type DeliveredDomain,
  deliveredDomainSchema,
  type Domain,
  domainSchema,
  domainsPageSchema,
  type UpdateDomain,
  type VerifiedDomain,
  verifiedDomainSchema,
} from '@tunnox/domain/api/domains';
import { type Route, routeSchema } from '@tunnox/domain/api/routes';
import { type CallOptions, type ChangeOptions, type ListQuery, Resource, V1 } from '../resource.ts';

export interface DomainsQuery extends ListQuery {
  /** Operators. */
  user_id?: number;
  namespace_id?: number;
  client_id?: number;
}

/** Host names. */
export class Domains extends Resource {
  /** @param name A label under a base domain (the first one unless `base_domain` names another), or a whole name. */
  availability(name: string, query: { base_domain?: string } = {}, options?: CallOptions): Promise<Availability> {
    return this.read(`${V1}/domains/availability`, availabilitySchema, { name, ...query }, options);
  }

  /** @throws {ApiError} `subdomain_taken`; `conflict` with `domain_id` when the name is the caller's already */
  create(domain: CreateDomain, options?: ChangeOptions): Promise<DeliveredDomain> {
    return this.post(`${V1}/domains`, domain, deliveredDomainSchema, options);
  }

  list(query: DomainsQuery = {}, options?: CallOptions): Promise<Page<'domains', Domain>> {
    return this.read(`${V1}/domains`, domainsPageSchema, query, options);
  }

  get(domainId: number, options?: CallOptions): Promise<Domain> {
    return this.read(`${V1}/domains/${domainId}`, domainSchema, {}, options);
  }

  update(domainId: number, change: UpdateDomain, options?: ChangeOptions): Promise<DeliveredDomain> {
    return this.put(`${V1}/domains/${domainId}`, change, deliveredDomainSchema, options);
  }

  delete(domainId: number, options?: ChangeOptions): Promise<void> {
    return this.remove(`${V1}/domains/${domainId}`, options);
  }

  /** Looks now for the record that proves a custom domain. */
  verify(domainId: number, options?: ChangeOptions): Promise<VerifiedDomain> {
    return this.post(`${V1}/domains/${domainId}/verify`, {}, verifiedDomainSchema, options);
  }

  /** Where a host name, or another endpoint (`tcp:{group}:{port}`), leads now. */
  lookup(name: string, options?: CallOptions): Promise<Route> {
    const query = name.includes(':') ? { endpoint: name } : { host: name };
    return this.read(`${V1}/domains/lookup`, routeSchema, query, options);
  }
}
