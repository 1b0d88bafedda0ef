import type { Page } from '@tunnox/domain/api/common';
import {
  type CreatedRoutes,
  createdRoutesSchema,
  type CreateRoute,
  type CreateRoutes,
  type DeliveredRoute,
  deliveredRouteSchema,
  type Route,
  routeSchema,
  routesPageSchema,
} from '@tunnox/domain/api/routes';
import { type CallOptions, type ChangeOptions, type ListQuery, Resource, V1 } from '../resource.ts';

/** Endpoints bound to clients for a time. */
export class Routes extends Resource {
  /** @throws {ApiError} `endpoint_taken` */
  create(route: CreateRoute, options?: ChangeOptions): Promise<DeliveredRoute> {
    return this.post(`${V1}/routes`, route, deliveredRouteSchema, options);
  }

  /** Up to 500; each for itself is made or refused. */
  createMany(routes: CreateRoutes['routes'], options?: ChangeOptions): Promise<CreatedRoutes> {
    return this.post(`${V1}/routes/batch`, { routes }, createdRoutesSchema, options);
  }

  list(query: ListQuery = {}, options?: CallOptions): Promise<Page<'routes', Route>> {
    return this.read(`${V1}/routes`, routesPageSchema, query, options);
  }

  get(endpoint: string, options?: CallOptions): Promise<Route> {
    return this.read(`${V1}/routes/${encodeURIComponent(endpoint)}`, routeSchema, {}, options);
  }

  delete(endpoint: string, options?: ChangeOptions): Promise<void> {
    return this.remove(`${V1}/routes/${encodeURIComponent(endpoint)}`, options);
  }
}
