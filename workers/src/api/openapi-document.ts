import type { OpenAPIHono } from '@hono/zod-openapi';
import { ERROR_CODES, type ErrorCode } from '@tunnox/domain/error-codes';
import { HEADER_REFS, RESPONSE_HEADERS } from './response-headers.ts';
import { problemResponse } from './responses.ts';

type OpenApiDocument = ReturnType<OpenAPIHono['getOpenAPI31Document']>;
type PathItem = NonNullable<OpenApiDocument['paths']>[string];
type Operation = NonNullable<PathItem['get']>;

const METHODS = ['get', 'put', 'post', 'delete', 'patch'] as const;
const PROBLEM_REF = { $ref: '#/components/schemas/Problem' };

/**
 * Adds to the routes' own description what holds for all of them: the errors that every operation can answer, the
 * headers of answers, and `Idempotency-Key`.
 */
export function completeDocument(document: OpenApiDocument): OpenApiDocument {
  const paths = Object.fromEntries(
    Object.entries(document.paths ?? {}).map(([path, item]) => {
      const operations = METHODS.flatMap((method) => {
        const operation = item[method];
        return operation === undefined ? [] : [[method, completeOperation(path, method, operation)]];
      });
      return [path, { ...item, ...(Object.fromEntries(operations) as PathItem) }];
    }),
  );
  return { ...document, paths, components: { ...document.components, headers: { ...RESPONSE_HEADERS } } };
}

function completeOperation(path: string, method: string, operation: Operation): Operation {
  const managed = path.startsWith('/api/v1/');
  const common = [...errorsOfEvery(managed, method, operation)];
  const headers = {
    'X-Request-Id': HEADER_REFS['X-Request-Id'],
    ...(managed && { RateLimit: HEADER_REFS.RateLimit, 'RateLimit-Policy': HEADER_REFS['RateLimit-Policy'] }),
    ...(managed && method === 'post' && { 'Idempotency-Replayed': HEADER_REFS['Idempotency-Replayed'] }),
  };
  const codes = new Map<string, ErrorCode[]>();
  const responses: Record<string, object> = {};
  for (const [status, response] of Object.entries(operation.responses ?? {}) as [string, Described][]) {
    const problem = response.content?.['application/problem+json'];
    if (problem === undefined) responses[status] = { ...response, headers: { ...headers, ...response.headers } };
    else codes.set(status, Object.keys(problem.examples ?? {}) as ErrorCode[]);
  }
  for (const [status, more] of Map.groupBy(common, statusOf))
    codes.set(status, [...(codes.get(status) ?? []), ...more]);
  for (const [status, itsCodes] of codes) {
    const response = problemResponse(itsCodes, PROBLEM_REF);
    responses[status] = { ...response, headers: { ...headers, ...response.headers } };
  }
  return { ...operation, responses };
}

interface Described {
  headers?: object;
  content?: Record<string, { examples?: object } | undefined>;
}

/** What any operation of this kind can answer. */
function* errorsOfEvery(managed: boolean, method: string, operation: Operation): Generator<ErrorCode> {
  yield 'host_not_allowed';
  yield 'internal';
  if (!managed) return;
  yield* ['invalid', 'rate_limited', 'unavailable'] as const;
  if (operation.security?.length !== 0) {
    yield* ['unauthenticated', 'forbidden', 'client_disabled', 'client_claimed'] as const;
  }
  if (operation.parameters?.some((one) => 'name' in one && one.name === 'If-Match') === true) {
    yield 'precondition_failed';
    yield 'malformed';
  }
  if (method === 'get') return;
  yield* ['malformed', 'too_large', 'unsupported_media_type'] as const;
  // The Idempotency-Key was used for another request.
  if (method === 'post') yield 'conflict';
}

function statusOf(code: ErrorCode): string {
  return String(ERROR_CODES[code].status);
}
