import { createMiddleware } from 'hono/factory';
import type { Log } from '../../services/node-ports.ts';
import { principalKey } from '../../services/principal.ts';
import type { AppEnv } from '../context.ts';

/** An answer of this API is for its caller alone, and nothing to show in a page. */
const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

/** Two years, as browsers' lists want it; only for this name, what is below it is not ours to decide. */
const STRICT_TRANSPORT = 'max-age=63072000';

/** Gives every request an id, every answer the common headers, and writes a line when it is done. */
export function logRequests(log: Log) {
  return createMiddleware<AppEnv>(async (c, next) => {
    const requestId = crypto.randomUUID();
    c.set('requestId', requestId);
    const startedAt = Date.now();
    await next();
    // The answer to a WebSocket upgrade must be passed on as it is.
    if (c.res.status !== 101) {
      c.header('x-request-id', requestId);
      for (const [name, value] of Object.entries(HEADERS)) {
        if (!c.res.headers.has(name)) c.header(name, value);
      }
      if (c.req.url.startsWith('https:')) c.header('strict-transport-security', STRICT_TRANSPORT);
    }
    const caller = c.get('caller') as AppEnv['Variables']['caller'] | undefined;
    log.info(
      {
        request_id: requestId,
        method: c.req.method,
        path: c.req.path,
        status: c.res.status,
        duration_ms: Date.now() - startedAt,
        ...(caller === undefined ? {} : { principal: principalKey(caller.principal) }),
      },
      'request',
    );
  });
}
