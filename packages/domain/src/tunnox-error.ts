import { ERROR_CODES, type ErrorCode } from './error-codes.ts';

export interface TunnoxErrorOptions {
  cause?: unknown;
  /** Seconds after which a try may succeed; becomes `Retry-After`. */
  retryAfterS?: number;
  /** Members added to the problem document, such as `limit` and `current`. */
  details?: Record<string, unknown>;
}

/** The one error class: a stable code, and a message that may be shown to the person who caused it. */
export class TunnoxError extends Error {
  readonly code: ErrorCode;
  readonly publicMessage: string;
  readonly retryAfterS: number | undefined;
  readonly details: Record<string, unknown>;

  constructor(code: ErrorCode, publicMessage: string, options: TunnoxErrorOptions = {}) {
    super(publicMessage, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'TunnoxError';
    this.code = code;
    this.publicMessage = publicMessage;
    this.retryAfterS = options.retryAfterS;
    this.details = options.details ?? {};
  }

  /** HTTP status of the code. */
  get status(): number {
    return ERROR_CODES[this.code].status;
  }

  /** Whether the same request may succeed later. */
  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable;
  }
}
