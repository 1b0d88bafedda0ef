import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { createMiddleware } from 'hono/factory';
import type { Authenticator } from '../../services/authenticator.ts';
import { scopesOf } from '../../services/principal.ts';
import type { AppEnv } from '../context.ts';

/** Reading needs the scope `read`, everything else `write`. */
const READING = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Finds out who calls, and whether its key is good for such a request. */
export function authenticate(authenticator: Authenticator) {
  return createMiddleware<AppEnv>(async (c, next) => {
    const principal = await authenticator.authenticate(c.req.header('authorization'));
    const scope = READING.has(c.req.method) ? 'read' : 'write';
    if (!scopesOf(principal).includes(scope)) {
      throw new TunnoxError('forbidden', `This API key does not have the scope ${scope}`);
    }
    c.set('caller', { principal, requestId: c.get('requestId') });
    await next();
  });
}
