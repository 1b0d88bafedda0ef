import type { OpenAPIHono } from '@hono/zod-openapi';
import { ERROR_CODES, type ErrorCode } from '@tunnox/domain/error-codes';
import { areaOf } from './middleware/authenticate.ts';
import { INFO, PARAMETER_DESCRIPTIONS, SECURITY_SCHEME, TAGS } from './openapi-texts.ts';
import { withNullableReferences } from './nullable-references.ts';
import { HEADER_REFS, RESPONSE_HEADERS } from './response-headers.ts';
import { problemResponse } from './responses.ts';

export type OpenApiDocument = ReturnType<OpenAPIHono['getOpenAPI31Document']>;
type PathItem = NonNullable<OpenApiDocument['paths']>[string];
type Operation = NonNullable<PathItem['get']>;
type Parameter = NonNullable<Operation['parameters']>[number];
type Responses = NonNullable<Operation['responses']>;
type ProblemAnswer = ReturnType<typeof problemResponse>;

const METHODS = ['get', 'put', 'post', 'delete', 'patch'] as const;
const BASE = '/api/v1/';

const IDEMPOTENCY_KEY = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,255}$' },
  example: '0b8e1e1c-6c0f-4c53-8d5e-3c6a5f1d9d39',
} as const;

/**
 * The OpenAPI document: the routes' own description, and what holds for all of them, which no route has to say: the
 * errors that every operation can answer, headers, scopes, `Idempotency-Key`, and the words about parameters.
 */
export function describeApi(app: Pick<OpenAPIHono, 'getOpenAPI31Document'>): OpenApiDocument {
  const described = withNullableReferences(
    app.getOpenAPI31Document({
      openapi: '3.1.0',
      info: INFO,
      // Wherever the document came from.
      servers: [{ url: '/', description: 'This control plane' }],
      tags: TAGS,
    }),
  );
  const responses = new Map<string, ProblemAnswer>();
  const parameters = new Map<string, Parameter>();
  const paths = Object.entries(described.paths ?? {}).map(([path, item]) => {
    const operations = METHODS.flatMap((method) => {
      const operation = item[method];
      if (operation === undefined) return [];
      return [[method, completeOperation(path, method, operation, { responses, parameters })]];
    });
    return [path, Object.fromEntries(operations) as PathItem];
  });
  return {
    ...described,
    paths: Object.fromEntries(paths) as NonNullable<OpenApiDocument['paths']>,
    components: {
      ...described.components,
      securitySchemes: { bearer: SECURITY_SCHEME },
      headers: { ...RESPONSE_HEADERS },
      parameters: sorted(parameters),
      responses: sorted(responses),
    } as NonNullable<OpenApiDocument['components']>,
  };
}

/** Components that operations share. */
interface Shared {
  responses: Map<string, ProblemAnswer>;
  parameters: Map<string, Parameter>;
}

function completeOperation(path: string, method: string, operation: Operation, shared: Shared): Operation {
  const managed = path.startsWith(BASE);
  const open = !managed || operation.security?.length === 0;
  const own = [...(operation.parameters ?? []), ...(!open && method === 'post' ? [IDEMPOTENCY_KEY] : [])];
  const parameters = own.map((parameter) => shareParameter(parameter as Parameter, shared.parameters));
  const responses: Responses = {};
  const codes = [...errorsOfEvery({ managed, open, method, parameters: own })];
  for (const [status, response] of Object.entries(operation.responses ?? {}) as [string, Described][]) {
    const problem = response.content?.['application/problem+json'];
    if (problem !== undefined) codes.push(...(Object.keys(problem.examples ?? {}) as ErrorCode[]));
    else
      responses[status] = {
        ...response,
        headers: { ...headersOfEvery(managed, open ? 'get' : method), ...response.headers },
      };
  }
  for (const [status, itsCodes] of Map.groupBy(codes, (code) => ERROR_CODES[code].status)) {
    // One header too many on answers to GET, and half as many components.
    responses[String(status)] = shareProblem(itsCodes, headersOfEvery(managed, 'post'), shared.responses);
  }
  const { parameters: _, ...rest } = operation;
  return {
    ...rest,
    ...(parameters.length > 0 && { parameters }),
    security: open ? [] : scopesOf(path, method),
    responses,
  };
}

interface Described {
  description: string;
  headers?: object;
  content?: Record<string, { examples?: object } | undefined>;
}

/** What any operation of this kind can answer. */
function* errorsOfEvery(kind: {
  managed: boolean;
  open: boolean;
  method: string;
  parameters: readonly Parameter[];
}): Generator<ErrorCode> {
  const { managed, open, method, parameters } = kind;
  yield 'host_not_allowed';
  yield 'internal';
  if (!managed) return;
  yield* ['invalid', 'rate_limited', 'unavailable'] as const;
  if (!open) {
    yield* ['unauthenticated', 'forbidden', 'login_required', 'client_disabled', 'client_claimed'] as const;
  }
  if (parameters.some((one) => 'name' in one && one.name === 'If-Match')) {
    yield* ['precondition_failed', 'malformed'] as const;
  }
  if (method === 'get') return;
  yield* ['malformed', 'too_large', 'unsupported_media_type'] as const;
  // The Idempotency-Key was used for another request.
  if (method === 'post' && !open) yield 'conflict';
}

function headersOfEvery(managed: boolean, method: string) {
  return {
    'X-Request-Id': HEADER_REFS['X-Request-Id'],
    ...(managed && { RateLimit: HEADER_REFS.RateLimit, 'RateLimit-Policy': HEADER_REFS['RateLimit-Policy'] }),
    ...(managed && method === 'post' && { 'Idempotency-Replayed': HEADER_REFS['Idempotency-Replayed'] }),
  };
}

/** Either scope will do. */
function scopesOf(path: string, method: string): NonNullable<Operation['security']> {
  const access = method === 'get' ? 'read' : 'write';
  const area = areaOf(path);
  return [{ bearer: [access] }, ...(area === null ? [] : [{ bearer: [`${area}:${access}`] }])];
}

/** Adds what a parameter means, and makes those without a shape of their own components. */
function shareParameter(parameter: Parameter, shared: Map<string, Parameter>): Parameter {
  if (!('name' in parameter)) return parameter;
  const description = parameter.description ?? PARAMETER_DESCRIPTIONS[parameter.name];
  const complete = { ...parameter, ...(description !== undefined && { description }) };
  // A name may mean two things; the first is shared.
  const held = shared.get(parameter.name);
  if (held !== undefined && JSON.stringify(held) !== JSON.stringify(complete)) return complete;
  shared.set(parameter.name, complete);
  return { $ref: `#/components/parameters/${parameter.name}` };
}

/** The same errors are one component, named by their codes. */
function shareProblem(codes: ErrorCode[], headers: object, shared: Map<string, ProblemAnswer>) {
  const distinct = [...new Set(codes)].sort();
  const response = problemResponse(distinct, { $ref: '#/components/schemas/Problem' });
  const complete = { ...response, headers: { ...headers, ...response.headers } };
  const base = distinct.map(pascalCase).join('Or');
  for (let suffix = 1; ; suffix += 1) {
    const name = suffix === 1 ? base : `${base}${suffix}`;
    const held = shared.get(name);
    if (held !== undefined && JSON.stringify(held) !== JSON.stringify(complete)) continue;
    shared.set(name, complete);
    return { $ref: `#/components/responses/${name}` };
  }
}

function pascalCase(code: string): string {
  return code.replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function sorted<T>(map: Map<string, T>): Record<string, T> {
  return Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
}
