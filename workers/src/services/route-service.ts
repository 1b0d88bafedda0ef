import type { Page, PageQuery } from '@tunnox/domain/api/common';
import type { CreatedRoutes, DeliveredRoute, Route } from '@tunnox/domain/api/routes';
import { normalizeHost } from '@tunnox/domain/host-name';
import type { Presence } from '@tunnox/domain/presence';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { auditOf } from './audit.ts';
import type { ChangeTeller } from './change-teller.ts';
import type { DomainNames } from './domain-names.ts';
import type { PresenceReader } from './ports.ts';
import { type Caller, notFound, type Owner, requireWrite, tenantOf } from './principal.ts';
import { decodeRouteCursor, encodeRouteCursor } from './route-cursor.ts';
import { type CreateRouteInput, refusedRoute, requirePortScope, toNewRoute } from './route-input.ts';
import type { NewRoute, RouteClient, RouteOutcome, RouteRepository, RouteRow } from './route-ports.ts';

export interface RouteServiceDeps {
  routes: RouteRepository;
  names: DomainNames;
  presences: PresenceReader;
  teller: ChangeTeller;
}

/** Endpoint of a public port. */
const PORT_NAME = /^(?:tcp|udp):[a-z0-9][a-z0-9-]{0,31}:[1-9][0-9]{0,4}$/;

/** What became of a wish. */
type Result = { outcome: 'created'; bindingId: string } | { outcome: 'refused'; error: TunnoxError };

/** What is reachable under which public endpoint, and where its clients are; routes are made and removed here. */
export class RouteService {
  readonly #deps: RouteServiceDeps;

  constructor(deps: RouteServiceDeps) {
    this.#deps = deps;
  }

  async list(caller: Caller, query: PageQuery): Promise<Page<'routes', Route>> {
    const from = query.cursor === undefined ? null : decodeRouteCursor(query.cursor);
    const { rows, total: counted } = await this.#deps.routes.list(tenantOf(caller.principal), {
      limit: query.limit,
      offset: from === null ? (query.page - 1) * query.limit : 0,
      after: from?.after ?? null,
      counted: from === null,
    });
    const routes = await this.#toRoutes(rows);
    const last = rows.length === query.limit ? rows.at(-1)?.binding.endpoint : undefined;
    const total = counted ?? from?.total ?? 0;
    const next_cursor = last === undefined || last === null ? null : encodeRouteCursor({ after: last, total });
    return { routes, total, page: query.page, limit: query.limit, next_cursor };
  }

  /** @throws {TunnoxError} `not_found` also for another tenant's. */
  async lookup(caller: Caller, asked: { host?: string | undefined; endpoint?: string | undefined }): Promise<Route> {
    return await this.find(caller, asked.host ?? asked.endpoint ?? '');
  }

  /** @param name A host name, or `tcp:{group}:{port}`. */
  async find(caller: Caller, name: string): Promise<Route> {
    const [route] = await this.#toRoutes([await this.#load(caller, name)]);
    if (route === undefined) throw notFound('route for', name);
    return route;
  }

  async create(caller: Caller, wish: CreateRouteInput): Promise<DeliveredRoute> {
    const { results, outboxIds } = await this.#create(caller, [wish]);
    const [result] = results;
    if (result === undefined || result.outcome === 'refused') throw result?.error ?? notFound('client', wish.client_id);
    const delivery = await this.#deps.teller.untilApplied(outboxIds);
    return { ...(await this.find(caller, wish.endpoint)), delivery };
  }

  async createMany(caller: Caller, wishes: CreateRouteInput[]): Promise<CreatedRoutes> {
    const { results, outboxIds } = await this.#create(caller, wishes);
    await this.#deps.teller.onItsWay(outboxIds);
    return {
      created: results.filter(({ outcome }) => outcome === 'created').length,
      results: results.map((result, index) => {
        const endpoint = wishes[index]?.endpoint ?? '';
        if (result.outcome === 'created') return { endpoint, outcome: 'created', binding_id: result.bindingId };
        const { code, publicMessage: detail } = result.error;
        return { endpoint, outcome: 'refused', code, detail };
      }),
    };
  }

  async remove(caller: Caller, name: string): Promise<void> {
    const row = await this.#load(caller, name);
    requireWrite(caller, row);
    requirePortScope(caller, name);
    const { binding_id, endpoint, route, user_id, upstreams } = row.binding;
    if (route !== true || user_id === null) {
      const [kind, id] = binding_id.split(':');
      throw new TunnoxError(
        'conflict',
        `${endpoint} is no route but a ${kind}: DELETE /api/v1/${kind}s/${id} removes it`,
      );
    }
    const before = { binding_id, client_ids: upstreams.map(({ client_id }) => client_id), expires_at: row.expires_at };
    const audit = auditOf(caller, 'route.delete', { before });
    const outboxIds = await this.#deps.routes.remove(binding_id, user_id, audit);
    if (outboxIds === null) throw notFound('route for', name);
    await this.#deps.teller.onItsWay(outboxIds);
  }

  async #create(caller: Caller, wishes: CreateRouteInput[]): Promise<{ results: Result[]; outboxIds: number[] }> {
    const { routes } = this.#deps;
    const tenant = tenantOf(caller.principal);
    const ids = [...new Set(wishes.map(({ client_id }) => client_id))];
    const clients = new Map((await routes.clients(ids, tenant)).map((client) => [client.client_id, client]));
    const waited = wishes.flatMap((wish) =>
      wish.ttl_seconds === undefined && clients.has(wish.client_id) ? [wish] : [],
    );
    const presences = await this.#deps.presences.read([...new Set(waited.map(({ client_id }) => client_id))]);
    const results: Result[] = [];
    const groups = new Map<string, { owner: Owner; items: { at: number; route: NewRoute }[] }>();
    const named = new Set<string>();
    for (const [at, wish] of wishes.entries()) {
      try {
        const route = toNewRoute(
          this.#deps.names,
          caller,
          wish,
          clients.get(wish.client_id),
          presences.has(wish.client_id),
        );
        const { endpoint } = route.endpoint;
        if (named.has(endpoint)) throw refusedRoute(endpoint, { reason: 'taken', yours: true });
        named.add(endpoint);
        const owner = ownerOf(clients.get(wish.client_id));
        const key = `${owner.userId} ${owner.namespaceId}`;
        const group = groups.get(key) ?? { owner, items: [] };
        group.items.push({ at, route });
        groups.set(key, group);
      } catch (error) {
        if (!(error instanceof TunnoxError)) throw error;
        results[at] = { outcome: 'refused', error };
      }
    }
    const outboxIds: number[] = [];
    for (const { owner, items } of groups.values()) {
      const audit = auditOf(caller, 'route.create', {});
      const news = items.map(({ route }) => route);
      try {
        const made = await routes.create(news, owner, tenant, audit);
        outboxIds.push(...made.outboxIds);
        for (const [index, { at, route }] of items.entries()) {
          results[at] = toResult(route, made.outcomes[index] ?? { reason: 'gone' });
        }
      } catch (error) {
        // Another owner's routes may have been made already: that has to be told.
        if (!(error instanceof TunnoxError) || outboxIds.length === 0) throw error;
        for (const { at } of items) results[at] = { outcome: 'refused', error };
      }
    }
    return { results, outboxIds };
  }

  async #load(caller: Caller, name: string): Promise<RouteRow> {
    const isPort = name.includes(':');
    const endpoint = isPort ? (PORT_NAME.exec(name)?.[0] ?? null) : normalizeHost(name);
    const row = endpoint === null ? null : await this.#deps.routes.find(tenantOf(caller.principal), endpoint);
    if (row === null) throw notFound('route for', name);
    return row;
  }

  async #toRoutes(rows: RouteRow[]): Promise<Route[]> {
    const ids = new Set(rows.flatMap(({ binding }) => binding.upstreams.map((upstream) => upstream.client_id)));
    const presences = await this.#deps.presences.read([...ids]);
    return rows.flatMap((row) => toRoute(row, presences));
  }
}

function toResult(route: NewRoute, outcome: RouteOutcome): Result {
  if ('bindingId' in outcome) return { outcome: 'created', bindingId: outcome.bindingId };
  return { outcome: 'refused', error: refusedRoute(route.endpoint.endpoint, outcome) };
}

/** Of a client that toNewRoute() has let pass. */
function ownerOf(client: RouteClient | undefined): Owner {
  if (client === undefined || client.user_id === null) throw notFound('client', client?.client_id ?? '');
  return { userId: client.user_id, namespaceId: client.namespace_id };
}

function toRoute({ binding, expires_at, ends_with_client }: RouteRow, presences: Map<number, Presence>): Route[] {
  const { endpoint, binding_id, version, protocol, enabled, user_id } = binding;
  if (endpoint === null) return [];
  const upstreams = binding.upstreams.map(({ client_id }) => ({
    client_id,
    presence: presences.get(client_id) ?? null,
  }));
  return [{ endpoint, binding_id, version, protocol, enabled, user_id, expires_at, ends_with_client, upstreams }];
}
