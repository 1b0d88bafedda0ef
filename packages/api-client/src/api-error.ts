export interface ApiErrorInit {
  /**
   * Stable code of the API (`subdomain_taken`), or what prevented its answer: `unreachable` (no connection, or it
   * broke), `server_untrusted` (its certificate is not accepted), `timeout` (no answer in time), `bad_answer` (a proxy's
   * page, a relay, or another kind of server).
   */
  code: string;
  /** HTTP status; null without an answer. */
  status: number | null;
  /** For a person. */
  detail: string;
  requestId?: string | null;
  /** Seconds that the API asks to wait. */
  retryAfterS?: number | null;
  /** Members of the problem document beside the standard ones, such as `domain_id`, `limit`, `current`. */
  members?: Record<string, unknown>;
  cause?: unknown;
}

/** A failed call: a problem document (RFC 9457) of the API, or what prevented an answer. */
export class ApiError extends Error {
  readonly code: string;
  readonly status: number | null;
  readonly detail: string;
  readonly requestId: string | null;
  readonly retryAfterS: number | null;
  readonly members: Record<string, unknown>;

  constructor(init: ApiErrorInit) {
    super(init.detail, init.cause === undefined ? undefined : { cause: init.cause });
    this.name = 'ApiError';
    this.code = init.code;
    this.status = init.status;
    this.detail = init.detail;
    this.requestId = init.requestId ?? null;
    this.retryAfterS = init.retryAfterS ?? null;
    this.members = init.members ?? {};
  }

  /** Whether the same call may succeed later: nothing is wrong with the call itself. */
  get retryable(): boolean {
    return this.status === null || this.status === 429 || this.status >= 500;
  }
}
