import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { createMiddleware } from 'hono/factory';
import type { IdempotencyRepository, Log } from '../../services/node-ports.ts';
import { principalKey } from '../../services/principal.ts';
import { sha256Hex } from '../../services/random.ts';
import type { AppEnv } from '../context.ts';

const KEY_FORMAT = /^[\x21-\x7e]{1,255}$/;
const RUNNING_RETRY_AFTER_S = 1;

/**
 * A POST with an `Idempotency-Key` is carried out once: a repeat gets the first answer. Answers that a repeat may mend
 * (429 and 5xx) are not kept.
 */
export function idempotency(keys: IdempotencyRepository, log: Log) {
  return createMiddleware<AppEnv>(async (c, next) => {
    const key = c.req.header('idempotency-key');
    if (key === undefined || c.req.method !== 'POST') return await next();
    if (!KEY_FORMAT.test(key)) {
      throw new TunnoxError('malformed', 'Idempotency-Key must be 1 to 255 printable characters without blanks');
    }
    const principal = principalKey(c.get('caller').principal);
    const requestHash = await sha256Hex(`${c.req.method} ${c.req.path}\n${await c.req.text()}`);
    const repetition = await keys.begin(principal, key, requestHash);
    switch (repetition.kind) {
      case 'done': {
        const type = repetition.status < 400 ? 'application/json' : 'application/problem+json';
        const headers = { 'content-type': type, 'idempotency-replayed': 'true' };
        return new Response(repetition.body === '' ? null : repetition.body, { status: repetition.status, headers });
      }
      case 'other':
        throw new TunnoxError('conflict', 'This Idempotency-Key was used for another request');
      case 'running':
        throw new TunnoxError('unavailable', 'The first request with this Idempotency-Key is still being worked on', {
          retryAfterS: RUNNING_RETRY_AFTER_S,
        });
      case 'first':
        break;
    }
    await next();
    const { status } = c.res;
    try {
      if (status === 429 || status >= 500) await keys.forget(principal, key);
      else await keys.finish(principal, key, status, await c.res.clone().text());
    } catch (error) {
      log.warn({ request_id: c.get('requestId'), err: String(error) }, 'An answer could not be kept for repeats');
    }
  });
}
