/** A call to the control plane that brought no result. */
export class ControlPlaneError extends Error {
  /** HTTP status; 0: no answer at all. */
  readonly status: number;
  /** Code of the problem document; empty if there was none. */
  readonly code: string;
  /** From `Retry-After`. */
  readonly retryAfterMs: number | null;

  constructor(
    message: string,
    details: { status: number; code: string; retryAfterMs: number | null },
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'ControlPlaneError';
    this.status = details.status;
    this.code = details.code;
    this.retryAfterMs = details.retryAfterMs;
  }

  /** The same call may succeed later: the control plane is away, busy, or wants a new token first. */
  get retryable(): boolean {
    return this.status === 0 || this.status === 401 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}
