import type { Binding } from '@tunnox/domain/binding';
import type { AuditEntry } from './audit.ts';
import type { ClientRecord } from './client-ports.ts';
import type { Owner, Tenant } from './principal.ts';

/** A public endpoint, and when it ends. */
export interface RouteRow {
  binding: Binding;
  expires_at: string | null;
  ends_with_client: boolean;
  namespace_id: number | null;
}

/** A client that a route may lead to. */
export type RouteClient = Pick<ClientRecord, 'client_id' | 'user_id' | 'namespace_id' | 'state'>;

/** An endpoint in normal form. */
export type RouteEndpoint =
  | {
      kind: 'domain';
      endpoint: string;
      /** null: a domain of the tenant's own, of which one of `parents` must be proved. */
      under: { subdomain: string; baseDomain: string } | null;
      /** The name and all above it; null: nothing has to be proved. */
      parents: string[] | null;
    }
  | { kind: 'port'; endpoint: string; group: string; port: number };

export interface NewRoute {
  endpoint: RouteEndpoint;
  clientId: number;
  targetHost: string;
  targetPort: number;
  /** null: until its client's agent is detached. */
  ttlS: number | null;
  /** That agent is attached now. */
  attached: boolean;
}

/** Why a route was not made. */
export type RouteRefusal =
  | { reason: 'gone' | 'reserved' | 'unproved' | 'no_pool' | 'client_full' }
  | { reason: 'taken'; yours: boolean }
  | { reason: 'over_quota'; limit: number; current: number };

export type RouteOutcome = { bindingId: string } | RouteRefusal;

export interface MadeRoutes {
  /** In the order of the wishes. */
  outcomes: RouteOutcome[];
  outboxIds: number[];
}

export interface RouteRepository {
  /** Public endpoints in the order of their names; `total` null: not counted. */
  list(
    tenant: Tenant,
    page: { limit: number; offset: number; after: string | null; counted: boolean },
  ): Promise<{ rows: RouteRow[]; total: number | null }>;
  /** @param endpoint A normalised host name, or `tcp:{group}:{port}`. */
  find(tenant: Tenant, endpoint: string): Promise<RouteRow | null>;
  clients(ids: number[], tenant: Tenant): Promise<RouteClient[]>;
  /** Makes those that can be made, for clients of one owner. @param tenant Who asks: what it sees is its own. */
  create(routes: NewRoute[], owner: Owner, tenant: Tenant, audit: AuditEntry): Promise<MadeRoutes>;
  /** @returns Outbox rows; null: it is gone already. */
  remove(bindingId: string, userId: number, audit: AuditEntry): Promise<number[] | null>;
}

/** Rows that have ended and were taken away. */
export interface EndedRows {
  count: number;
  outboxIds: number[];
}

export interface RouteEndRepository {
  /** Takes away mappings, domains and routes whose time is over, `limit` of each at the most. */
  endExpired(limit: number): Promise<EndedRows>;
  /** Takes away routes that were made to last while one of these clients is attached, `limit` of each at the most. */
  endOfClients(clientIds: number[], limit: number): Promise<EndedRows>;
  /** Clients with such routes that were attached since and are no more, as far as Postgres knows. */
  clientsLeft(limit: number): Promise<number[]>;
  /** Forgets changes of configurations that no agent will ask for. */
  forgetChanges(days: number, limit: number): Promise<void>;
}
