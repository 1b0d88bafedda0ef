import { OpenAPIHono } from '@hono/zod-openapi';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import type { Caller } from '../services/principal.ts';
import type { RateTaken } from './middleware/rate-limit.ts';

/** What middleware leaves for handlers. */
export interface AppVariables {
  requestId: string;
  /** Set below /api/v1. */
  caller: Caller;
  /** Set below /api/v1. */
  rates: RateTaken[];
}

// oxlint-disable-next-line typescript/consistent-type-definitions -- Hono wants a type without index signature
export type AppEnv = { Variables: AppVariables };

/** Where in a request a schema was not met; the head of the JSON pointer. */
const POINTER_HEADS: Record<string, string> = { json: '', query: '/query', param: '/path', header: '/header' };

/** A router whose schemas answer with `invalid` and a JSON pointer for each field. */
export function createRouter(): OpenAPIHono<AppEnv> {
  return new OpenAPIHono<AppEnv>({
    defaultHook: (result) => {
      if (result.success) return;
      const head = POINTER_HEADS[result.target] ?? `/${result.target}`;
      const errors = result.error.issues.map((issue) => ({
        pointer: head + issue.path.map((key) => `/${escapePointer(String(key))}`).join(''),
        detail: issue.message,
      }));
      const [first] = errors;
      const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
      const detail =
        first === undefined ? 'A value is not valid' : `${first.pointer || 'body'}: ${first.detail}${more}`;
      throw new TunnoxError('invalid', detail, { details: { errors } });
    },
  });
}

/** A key in a JSON pointer. RFC 6901, section 3. */
export function escapePointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}
