import type { Tenant } from './principal.ts';
import type { SeriesRow, SeriesWindow } from './time-series.ts';

/** Whose traffic a time series shows. */
export type SeriesOf =
  | { kind: 'user'; userId: number }
  | { kind: 'client'; clientId: number }
  | { kind: 'binding'; bindingId: string }
  | { kind: 'system' };

export interface UserCounts {
  total_clients: number;
  online_clients: number;
  total_mappings: number;
  active_mappings: number;
  current_month_traffic: number;
  bandwidth_usage: number;
}

export interface ClientCounts {
  /** Ended sessions and those that go on. */
  online_duration: number;
  total_bytes_sent: number;
  total_bytes_received: number;
  total_connections: number;
  /** Enabled mappings and domains that it serves when it is attached. */
  enabled_mappings: number;
}

export interface BindingCounts {
  total_connections: number;
  total_bytes_in: number;
  total_bytes_out: number;
  last_active_at: string | null;
  enabled: boolean;
  client_ids: number[];
}

export interface SystemCounts {
  total_users: number;
  total_clients: number;
  online_clients: number;
  total_mappings: number;
  active_mappings: number;
  total_bandwidth: number;
  total_nodes: number;
}

export interface StatsRepository {
  /** Up to `limit` clients of the user; null: no such user. */
  clientIdsOf(userId: number, limit: number): Promise<number[] | null>;
  /** @param online The user's clients that are attached; null: as the sessions say. */
  user(userId: number, online: readonly number[] | null): Promise<UserCounts>;
  /** null: the tenant has none of this id; so below. */
  client(clientId: number, tenant: Tenant): Promise<ClientCounts | null>;
  mapping(mappingId: number, tenant: Tenant): Promise<BindingCounts | null>;
  domain(domainId: number, tenant: Tenant): Promise<BindingCounts | null>;
  system(): Promise<SystemCounts>;
  /** Steps without traffic are absent. */
  series(of: SeriesOf, window: SeriesWindow): Promise<SeriesRow[]>;
}
