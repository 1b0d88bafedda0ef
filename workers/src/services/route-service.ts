import type { Page, PageQuery } from '@tunnox/domain/api/common';
import type { Route } from '@tunnox/domain/api/routes';
import { normalizeHost } from '@tunnox/domain/host-name';
import type { Presence } from '@tunnox/domain/presence';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import type { RouteRepository, RouteRow } from './binding-ports.ts';
import type { PresenceReader } from './ports.ts';
import { type Caller, notFound, tenantOf } from './principal.ts';

export interface RouteServiceDeps {
  routes: RouteRepository;
  presences: PresenceReader;
}

/** What is reachable under which public endpoint, and where its clients are. */
export class RouteService {
  readonly #deps: RouteServiceDeps;

  constructor(deps: RouteServiceDeps) {
    this.#deps = deps;
  }

  async list(caller: Caller, query: PageQuery): Promise<Page<'routes', Route>> {
    const after = query.cursor === undefined ? null : decodeCursor(query.cursor);
    const offset = after === null ? (query.page - 1) * query.limit : 0;
    const { rows, total } = await this.#deps.routes.list(tenantOf(caller.principal), {
      limit: query.limit,
      offset,
      after,
    });
    const routes = await this.#toRoutes(rows);
    const last = rows.length === query.limit ? rows.at(-1)?.binding.endpoint : undefined;
    const next_cursor = last === undefined || last === null ? null : encodeCursor(last);
    return { routes, total, page: query.page, limit: query.limit, next_cursor };
  }

  /** @throws {TunnoxError} `not_found` also for another tenant's. */
  async lookup(caller: Caller, asked: { host?: string | undefined; endpoint?: string | undefined }): Promise<Route> {
    const endpoint = asked.host === undefined ? asked.endpoint : normalizeHost(asked.host);
    const binding =
      endpoint === null || endpoint === undefined
        ? null
        : await this.#deps.routes.find(tenantOf(caller.principal), endpoint);
    const [route] = binding === null ? [] : await this.#toRoutes([binding]);
    if (route === undefined) throw notFound('route for', asked.host ?? asked.endpoint ?? '');
    return route;
  }

  async #toRoutes(rows: RouteRow[]): Promise<Route[]> {
    const ids = new Set(rows.flatMap(({ binding }) => binding.upstreams.map((upstream) => upstream.client_id)));
    const presences = await this.#deps.presences.read([...ids]);
    return rows.flatMap((row) => toRoute(row, presences));
  }
}

function toRoute({ binding, ...ends }: RouteRow, presences: Map<number, Presence>): Route[] {
  const { endpoint, binding_id, version, protocol, enabled, user_id } = binding;
  if (endpoint === null) return [];
  const upstreams = binding.upstreams.map(({ client_id }) => ({
    client_id,
    presence: presences.get(client_id) ?? null,
  }));
  return [{ endpoint, binding_id, version, protocol, enabled, user_id, ...ends, upstreams }];
}

/** Endpoints are ASCII. */
function encodeCursor(endpoint: string): string {
  return btoa(endpoint).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

function decodeCursor(cursor: string): string {
  try {
    return atob(cursor.replaceAll('-', '+').replaceAll('_', '/'));
  } catch {
    throw new TunnoxError('invalid', 'cursor must be the next_cursor of an earlier page');
  }
}
