const final = (status: number, title: string) => ({ status, title, retryable: false }) as const;
const later = (status: number, title: string) => ({ status, title, retryable: true }) as const;

/** Every stable error code with its HTTP status and title. Each has a line in docs/FAILURE-MODES.md. */
export const ERROR_CODES = {
  malformed: final(400, 'The request cannot be read'),
  unauthenticated: final(401, 'A valid credential is required'),
  clock_skew: final(401, 'The clocks differ too much'),
  forbidden: final(403, 'Not allowed'),
  login_required: final(403, 'Log in first'),
  quota_exceeded: final(403, 'A quota is used up'),
  host_not_allowed: final(403, 'This host name is not served here'),
  client_disabled: final(403, 'The client is disabled'),
  client_claimed: final(403, 'The client was claimed'),
  not_found: final(404, 'Not found'),
  method_not_allowed: final(405, 'Method not allowed'),
  conflict: final(409, 'Conflict'),
  subdomain_taken: final(409, 'The name is taken'),
  endpoint_taken: final(409, 'The endpoint is taken'),
  port_taken: final(409, 'The port is taken'),
  username_taken: final(409, 'The user name is taken'),
  email_taken: final(409, 'The e-mail address is taken'),
  nodes_exhausted: final(409, 'No node id is free'),
  precondition_failed: final(412, 'The object has changed meanwhile'),
  too_large: final(413, 'The request is too large'),
  unsupported_media_type: final(415, 'The media type is not supported'),
  expectation_failed: final(417, 'The expectation cannot be met'),
  invalid: final(422, 'A value is not valid'),
  name_invalid: final(422, 'The name is not allowed'),
  protocol_unsupported: final(426, 'Upgrade needed'),
  rate_limited: later(429, 'Too many requests'),
  head_too_large: final(431, 'The head of the request is too large'),
  internal: later(500, 'Something went wrong here'),
  unavailable: later(503, 'A store is away'),
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;
