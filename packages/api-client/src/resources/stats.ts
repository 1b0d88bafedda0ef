import {
  type ClientStats,
  clientStatsSchema,
  type DomainStats,
  domainStatsSchema,
  type MappingStats,
  mappingStatsSchema,
  type SystemStats,
  systemStatsSchema,
  type TimeSeriesQuery,
  type UserStats,
  userStatsSchema,
} from '@tunnox/domain/api/stats';
import { type CallOptions, Resource, V1 } from '../resource.ts';

/** Figures of now, and time series for a query with `from`. */
export class Stats extends Resource {
  user(userId: number, query: TimeSeriesQuery = {}, options?: CallOptions): Promise<UserStats> {
    return this.read(`${V1}/stats/users/${userId}`, userStatsSchema, query, options);
  }

  client(clientId: number, query: TimeSeriesQuery = {}, options?: CallOptions): Promise<ClientStats> {
    return this.read(`${V1}/stats/clients/${clientId}`, clientStatsSchema, query, options);
  }

  mapping(mappingId: number, query: TimeSeriesQuery = {}, options?: CallOptions): Promise<MappingStats> {
    return this.read(`${V1}/stats/mappings/${mappingId}`, mappingStatsSchema, query, options);
  }

  domain(domainId: number, query: TimeSeriesQuery = {}, options?: CallOptions): Promise<DomainStats> {
    return this.read(`${V1}/stats/domains/${domainId}`, domainStatsSchema, query, options);
  }

  /** Operators. */
  system(query: TimeSeriesQuery = {}, options?: CallOptions): Promise<SystemStats> {
    return this.read(`${V1}/stats/system`, systemStatsSchema, query, options);
  }
}
