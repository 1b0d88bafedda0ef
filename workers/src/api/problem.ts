import type { Problem } from '@tunnox/domain/api/common';
import { ERROR_CODES } from '@tunnox/domain/error-codes';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { HTTPException } from 'hono/http-exception';

const RETRY_AFTER_S = 2;

/**
 * An error as RFC 9457 problem document. What is not a `TunnoxError` is told as `internal` and nothing more.
 *
 * @see RFC 9457
 */
export function toProblemResponse(error: unknown, requestId: string): Response {
  const known = toTunnoxError(error);
  const { code, status, publicMessage, details, retryAfterS, retryable } = known;
  const problem: Problem = {
    ...details,
    type: `urn:tunnox:error:${code}`,
    title: ERROR_CODES[code].title,
    status,
    detail: publicMessage,
    code,
    request_id: requestId,
  };
  const headers = new Headers({ 'content-type': 'application/problem+json' });
  if (retryAfterS !== undefined || (retryable && status !== 500)) {
    headers.set('retry-after', String(retryAfterS ?? RETRY_AFTER_S));
  }
  if (status === 401) headers.set('www-authenticate', 'Bearer');
  if (Array.isArray(details['allow'])) headers.set('allow', details['allow'].join(', '));
  return new Response(JSON.stringify(problem), { status, headers });
}

function toTunnoxError(error: unknown): TunnoxError {
  if (error instanceof TunnoxError) return error;
  // Hono's own: a body that is not JSON.
  if (error instanceof HTTPException && error.status === 400) {
    return new TunnoxError('malformed', 'The body is not JSON', { cause: error });
  }
  if (error instanceof HTTPException && error.status === 415) {
    return new TunnoxError('unsupported_media_type', 'Send the body as Content-Type: application/json', {
      cause: error,
    });
  }
  return new TunnoxError('internal', 'Something went wrong here; the request id helps to find out what', {
    cause: error,
  });
}
