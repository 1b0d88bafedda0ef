import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { createMiddleware } from 'hono/factory';
import { type AppEnv, escapePointer } from '../context.ts';
import type { RouteTable } from '../route-table.ts';

/**
 * Answers OPTIONS, and methods that a path does not have, for who asks with a credential or without: which paths there
 * are is public.
 *
 * @param routes Called when the first request comes: then the application is complete.
 */
export function allowMethods(routes: () => RouteTable) {
  return createMiddleware<AppEnv>(async (c, next) => {
    const known = routes().find(c.req.path);
    if (known === null || (known.methods.includes(c.req.method) && c.req.method !== 'OPTIONS')) return await next();
    if (c.req.method === 'OPTIONS') return c.body(null, 204, { allow: known.methods.join(', ') });
    throw new TunnoxError(
      'method_not_allowed',
      `${c.req.method} is not possible here; ${known.methods.join(', ')} are`,
      {
        details: { allow: known.methods },
      },
    );
  });
}

/** Refuses query parameters that an operation does not have: a filter with a typing error would show everything. */
export function requireKnownQuery(routes: () => RouteTable) {
  return createMiddleware<AppEnv>(async (c, next) => {
    const method = c.req.method === 'HEAD' ? 'GET' : c.req.method;
    const names = routes().find(c.req.path)?.query.get(method);
    const unknown = names === undefined ? [] : Object.keys(c.req.queries()).filter((name) => !names.has(name));
    if (unknown.length > 0) {
      const possible = names === undefined || names.size === 0 ? 'there are none here' : [...names].join(', ');
      const detail = `is no query parameter of this operation (${possible})`;
      throw new TunnoxError('invalid', `${unknown[0]} ${detail}`, {
        details: { errors: unknown.map((name) => ({ pointer: `/query/${escapePointer(name)}`, detail })) },
      });
    }
    await next();
  });
}
