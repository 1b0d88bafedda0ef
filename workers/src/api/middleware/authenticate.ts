import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { createMiddleware } from 'hono/factory';
import type { Authenticator } from '../../services/authenticator.ts';
import { allows, type Area } from '../../services/principal.ts';
import type { AppEnv } from '../context.ts';

/** Area of the scopes that an operation needs, by the words of its path. What is not here needs no area. */
const AREAS: Partial<Record<string, Area>> = {
  users: 'account',
  clients: 'clients',
  mappings: 'mappings',
  domains: 'domains',
  dns: 'domains',
  certificates: 'domains',
  routes: 'domains',
  namespaces: 'namespaces',
  stats: 'stats',
  connections: 'stats',
  audit: 'stats',
};

/** Reading needs the scope `read`, everything else `write`. */
const READING = new Set(['GET', 'HEAD', 'OPTIONS']);

/** What is listed below another object counts: `/api/v1/users/1/clients` is about clients. */
export function areaOf(path: string): Area | null {
  const [first = '', , third = ''] = path.split('/').slice(3);
  return AREAS[third] ?? AREAS[first] ?? null;
}

/** Finds out who calls, and whether its key is good for such a request. */
export function authenticate(authenticator: Authenticator) {
  return createMiddleware<AppEnv>(async (c, next) => {
    const principal = await authenticator.authenticate(c.req.header('authorization'));
    const access = READING.has(c.req.method) ? 'read' : 'write';
    const area = areaOf(c.req.path);
    if (!allows(principal, access, area)) {
      const scopes = area === null ? access : `${access} or ${area}:${access}`;
      throw new TunnoxError('forbidden', `This API key does not have the scope ${scopes}`);
    }
    c.set('caller', { principal, requestId: c.get('requestId') });
    await next();
  });
}
