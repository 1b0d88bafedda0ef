// How an operation declares its answers: `responses: { 200: json(schema, 'The client'), ...problems('not_found') }`.
// Name the errors that are its own. What every operation can answer (malformed, unauthenticated, forbidden, too_large,
// invalid, rate_limited, unavailable, …) is added by openapi-document.ts, which also joins codes of the same status.
// A body comes with an example: `request: { params, body: body(schema, { client_name: 'laptop' }) }`.
import { problemSchema } from '@tunnox/domain/api/common';
import { ERROR_CODES, type ErrorCode } from '@tunnox/domain/error-codes';
import type { input, ZodType } from 'zod';
import { HEADER_REFS, type HeaderName } from './response-headers.ts';

export interface JsonOptions<Schema extends ZodType> {
  /** An answer of this operation. */
  example?: input<Schema>;
  /** Headers of this answer beside those of every answer. */
  headers?: readonly HeaderName[];
}

/** A JSON answer in a route's description. */
export function json<Schema extends ZodType>(
  schema: Schema,
  description: string,
  { example, headers = [] }: JsonOptions<Schema> = {},
) {
  return {
    description,
    ...headersOf(headers),
    content: { 'application/json': { schema, ...(example === undefined ? {} : { example }) } },
  };
}

/** A JSON body that must be there, with an example of it. */
export function body<Schema extends ZodType>(schema: Schema, example: input<Schema>) {
  return { required: true, content: { 'application/json': { schema, example } } };
}

/**
 * The errors that an operation has beside those of every operation, keyed by their status. They are thrown, never
 * returned by a handler, so the type says nothing of them.
 */
// oxlint-disable-next-line typescript/no-generated-empty-object-type -- spreading it adds nothing to a handler's type
export function problems(...codes: ErrorCode[]): Record<never, never> {
  const byStatus = Map.groupBy(codes, (code) => ERROR_CODES[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, itsCodes]) => [status, problemResponse(itsCodes, problemSchema)]),
  );
}

/**
 * The answer for errors of one status.
 *
 * @param schema The problem's schema, or a reference to it.
 */
export function problemResponse<Schema>(codes: readonly ErrorCode[], schema: Schema) {
  const distinct = [...new Set(codes)];
  return {
    description: distinct.map((code) => `\`${code}\`: ${ERROR_CODES[code].title}`).join('. '),
    ...headersOf(distinct.some((code) => ERROR_CODES[code].retryable) ? ['Retry-After'] : []),
    content: {
      'application/problem+json': {
        schema,
        examples: Object.fromEntries(distinct.map((code) => [code, { value: problemExample(code) }])),
      },
    },
  };
}

export const noContent = { description: 'Done' };

/** What a problem has beside the members of every problem. */
const DETAILS: Partial<Record<ErrorCode, { detail: string; [member: string]: unknown }>> = {
  forbidden: { detail: 'This API key does not have the scope write' },
  not_found: { detail: 'There is no client 600000007' },
  quota_exceeded: { detail: 'The quota allows 5 clients, and 5 are in use', limit: 5, current: 5 },
  invalid: {
    detail: '/client_name: must not be empty',
    errors: [{ pointer: '/client_name', detail: 'must not be empty' }],
  },
};

function problemExample(code: ErrorCode) {
  const { status, title } = ERROR_CODES[code];
  return {
    type: `urn:tunnox:error:${code}`,
    title,
    status,
    detail: title,
    code,
    request_id: '5f0f6a5e-0f0c-4a0e-9a52-6c1f3ad2f1be',
    ...DETAILS[code],
  };
}

function headersOf(names: readonly HeaderName[]) {
  return names.length === 0 ? {} : { headers: Object.fromEntries(names.map((name) => [name, HEADER_REFS[name]])) };
}
