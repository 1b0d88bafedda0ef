import { normalizeHost } from '@tunnox/domain/host-name';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { bodyLimit } from 'hono/body-limit';
import { createMiddleware } from 'hono/factory';
import type { AppEnv } from '../context.ts';

/** Methods whose body means nothing. */
const READING = new Set(['GET', 'HEAD']);

/** Far above every request of ours. */
const BODY_BYTES_MAX = 256 * 1024;

/**
 * Answers only under the configured names: a page that points its own name at this address (DNS rebinding) gets
 * nothing.
 */
export function allowHosts(hosts: readonly string[]) {
  const allowed = new Set(hosts);
  return createMiddleware<AppEnv>(async (c, next) => {
    const host = normalizeHost(c.req.header('host') ?? new URL(c.req.url).host);
    if (host === null || !allowed.has(host)) {
      throw new TunnoxError('host_not_allowed', 'This API does not answer under this host name');
    }
    await next();
  });
}

/** Refuses bodies that are too large. */
export const limitBody = bodyLimit({
  maxSize: BODY_BYTES_MAX,
  onError: () => {
    throw new TunnoxError('too_large', `The body must not be longer than ${BODY_BYTES_MAX} bytes`);
  },
});

/** Bodies are JSON; a form of another site cannot send that without asking first. */
export const requireJson = createMiddleware<AppEnv>(async (c, next) => {
  const type = READING.has(c.req.method) ? undefined : c.req.header('content-type');
  if (type !== undefined && !/^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(type)) {
    throw new TunnoxError('unsupported_media_type', 'Send the body as Content-Type: application/json');
  }
  await next();
});
