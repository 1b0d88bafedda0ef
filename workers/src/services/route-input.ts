import type { createRouteSchema } from '@tunnox/domain/api/routes';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import type { z } from 'zod';
import { type DomainNames, refusal } from './domain-names.ts';
import { allows, type Caller, invalid, loginRequired, notFound, requireWrite } from './principal.ts';
import type { NewRoute, RouteClient, RouteEndpoint, RouteOutcome } from './route-ports.ts';

/** A create as the schema gives it, with its defaults. */
export type CreateRouteInput = z.output<typeof createRouteSchema>;

const PORT_ENDPOINT = /^tcp:([a-z0-9][a-z0-9-]{0,31}):([1-9][0-9]{0,4})$/;
const PORT_MAX = 65_535;

/**
 * What a caller may ask for at all.
 *
 * @param client Whom the route names, as far as the caller sees it.
 * @param attached Whether its agent is.
 * @throws {TunnoxError} `name_invalid`, `invalid`, `not_found`, `login_required`, `forbidden`, `client_disabled`,
 *   `client_claimed`
 */
export function toNewRoute(
  names: DomainNames,
  caller: Caller,
  wish: CreateRouteInput,
  client: RouteClient | undefined,
  attached: boolean,
): NewRoute {
  // An agent's own credential sees no other client.
  if (client === undefined) throw notFound('client', wish.client_id);
  requireWrite(caller, client);
  requirePortScope(caller, wish.endpoint);
  if (client.user_id === null) throw loginRequired('Log in first: an anonymous client has one random name');
  switch (client.state) {
    case 'disabled':
      throw new TunnoxError('client_disabled', `Client ${wish.client_id} is disabled`);
    case 'claimed':
      throw new TunnoxError('client_claimed', `Client ${wish.client_id} was claimed`);
    case 'active':
  }
  return {
    endpoint: parseEndpoint(names, wish.endpoint, caller.principal.role === 'operator'),
    clientId: wish.client_id,
    targetHost: wish.target_host,
    targetPort: wish.target_port,
    ttlS: wish.ttl_seconds ?? null,
    attached,
  };
}

/** Ports belong to mappings: a key for names alone opens and closes none. @throws {TunnoxError} `forbidden` */
export function requirePortScope({ principal }: Caller, endpoint: string): void {
  if (!endpoint.includes(':') || allows(principal, 'write', 'mappings')) return;
  throw new TunnoxError('forbidden', 'This API key does not have the scope write or mappings:write, which ports need');
}

/** What kept a route from being made. */
export function refusedRoute(endpoint: string, outcome: Exclude<RouteOutcome, { bindingId: string }>): TunnoxError {
  switch (outcome.reason) {
    case 'taken': {
      const { yours } = outcome;
      const detail = yours ? `${endpoint} is yours already` : `${endpoint} is taken`;
      return new TunnoxError('endpoint_taken', detail, { details: { yours } });
    }
    case 'over_quota': {
      const { limit, current } = outcome;
      return new TunnoxError(
        'quota_exceeded',
        `The quota is ${limit} mappings, domains and routes, and ${current} are in use`,
        {
          details: { limit, current },
        },
      );
    }
    case 'reserved':
      return refusal(endpoint, { ok: false, fault: 'reserved' }, '/endpoint');
    case 'unproved':
      return invalid(
        '/endpoint',
        'must be under a base domain, or lie under a domain of your own that is verified: make that by POST /api/v1/domains',
      );
    case 'no_pool':
      return invalid('/endpoint', 'must name a port in the pool of a relay of that group');
    case 'client_full':
      return new TunnoxError(
        'quota_exceeded',
        'The client has as many mappings, domains and routes as fit one client: use several',
      );
    case 'gone':
      return new TunnoxError('conflict', 'The client was deleted or changed meanwhile');
  }
}

/** @param mayNameAny Operators say without a proof whose name it is. */
function parseEndpoint(names: DomainNames, wish: string, mayNameAny: boolean): RouteEndpoint {
  if (wish.includes(':')) {
    const [, group, digits] = PORT_ENDPOINT.exec(wish) ?? [];
    const port = Number(digits);
    if (group === undefined || port > PORT_MAX) {
      throw invalid('/endpoint', 'must be a host name, or tcp:{group}:{port}');
    }
    return { kind: 'port', endpoint: wish, group, port };
  }
  if (!wish.includes('.')) throw invalid('/endpoint', 'must be a whole host name, or tcp:{group}:{port}');
  const parsed = names.parse(wish, undefined);
  if (!parsed.ok) throw refusal(wish, parsed, '/endpoint');
  const { fullDomain, under } = parsed.name;
  const labels = fullDomain.split('.');
  const parents = labels.slice(0, -1).map((_, index) => labels.slice(index).join('.'));
  return { kind: 'domain', endpoint: fullDomain, under, parents: under === null && !mayNameAny ? parents : null };
}
