/** Headers of answers, as the OpenAPI document's `components.headers`. */
export const RESPONSE_HEADERS = {
  'X-Request-Id': {
    description: 'Id of the request; it stands in the log and in problems',
    required: true,
    schema: { type: 'string', format: 'uuid' },
    example: '5f0f6a5e-0f0c-4a0e-9a52-6c1f3ad2f1be',
  },
  RateLimit: {
    description:
      'What is left of each policy: `r` requests now, and seconds `t` until more are (draft-ietf-httpapi-ratelimit-headers)',
    schema: { type: 'string' },
    example: '"address";r=180;t=1, "principal";r=199;t=1',
  },
  'RateLimit-Policy': {
    description: 'The policies: `q` requests in a window of `w` seconds (draft-ietf-httpapi-ratelimit-headers)',
    schema: { type: 'string' },
    example: '"address";q=200;w=2, "principal";q=200;w=2',
  },
  'Retry-After': {
    description: 'Seconds after which a try may succeed',
    schema: { type: 'integer', minimum: 0 },
    example: 2,
  },
  ETag: {
    description: "The object's version, for `If-Match`",
    schema: { type: 'string', pattern: '^"[0-9]+"$' },
    example: '"42"',
  },
  'Idempotency-Replayed': {
    description: 'Given when this is the stored answer to the first request with this `Idempotency-Key`',
    schema: { type: 'string', pattern: '^true$' },
    example: 'true',
  },
} as const;

export type HeaderName = keyof typeof RESPONSE_HEADERS;

/** References to them, for answers. */
export const HEADER_REFS = Object.fromEntries(
  Object.keys(RESPONSE_HEADERS).map((name) => [name, { $ref: `#/components/headers/${name}` }]),
) as Record<HeaderName, { $ref: string }>;
