import { z } from 'zod';

/**
 * Why a certificate authority did not do it.
 *
 * - `unreachable`: no answer, or 5xx.
 * - `rate_limited`: it says to wait.
 * - `refused`: it does not take the order, the answer to a challenge, or the account.
 */
export type AcmeErrorKind = 'unreachable' | 'rate_limited' | 'refused';

/** A failed call of an ACME server; the message is its own words, for people. */
export class AcmeError extends Error {
  readonly kind: AcmeErrorKind;
  /** Such as `urn:ietf:params:acme:error:unauthorized`; null: it sent no problem document. */
  readonly type: string | null;
  /** Seconds; null: it does not say. */
  readonly retryAfterS: number | null;

  constructor(
    kind: AcmeErrorKind,
    message: string,
    options: { type?: string | null; retryAfterS?: number | null; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AcmeError';
    this.kind = kind;
    this.type = options.type ?? null;
    this.retryAfterS = options.retryAfterS ?? null;
  }

  /** The account by which the call was signed is not known any more: the authority was set up anew. */
  get isAccountLost(): boolean {
    return this.type === 'urn:ietf:params:acme:error:accountDoesNotExist';
  }
}

/** What is shown of an authority's words. */
const TEXT_LENGTH_MAX = 1000;
const SUBPROBLEMS_MAX = 100;
const RETRY_AFTER_S_MAX = 7 * 86_400;
const RATE_LIMITED_S = 3600;

/**
 * RFC 8555, section 6.7: problems of an order may have one for each of its names. What is not as it should be is as if
 * it were not there: an error must not become another one.
 */
export const acmeProblemSchema = z.object({
  type: z.string().max(TEXT_LENGTH_MAX).optional().catch(undefined),
  detail: z.string().optional().catch(undefined),
  subproblems: z
    .array(
      z.object({
        detail: z.string().optional().catch(undefined),
        identifier: z.object({ value: z.string() }).optional().catch(undefined),
      }),
    )
    .max(SUBPROBLEMS_MAX)
    .optional()
    .catch(undefined),
});

/** What an answer that is no success means. */
export function acmeErrorOf(status: number, retryAfter: string | null, body: unknown, nowMs = Date.now()): AcmeError {
  const problem = acmeProblemSchema.safeParse(body).data;
  const type = problem?.type ?? null;
  const retryAfterS = retryAfterOf(retryAfter, nowMs);
  const message = problemText(problem) ?? `The certificate authority answers with status ${status}`;
  if (status === 429 || type === 'urn:ietf:params:acme:error:rateLimited') {
    return new AcmeError('rate_limited', message, { type, retryAfterS: retryAfterS ?? RATE_LIMITED_S });
  }
  if (status >= 500) return new AcmeError('unreachable', message, { type, retryAfterS });
  return new AcmeError('refused', message, { type, retryAfterS });
}

/** A problem document as a sentence; null: it says nothing. */
export function problemText(problem: z.infer<typeof acmeProblemSchema> | undefined): string | null {
  if (problem?.detail === undefined) return null;
  const parts = (problem.subproblems ?? []).flatMap(({ detail, identifier }) =>
    detail === undefined ? [] : [identifier === undefined ? detail : `${identifier.value}: ${detail}`],
  );
  const text = [problem.detail, ...parts]
    .join('; ')
    .replaceAll(/\p{Cc}+/gu, ' ')
    .trim();
  if (text === '') return null;
  return text.length > TEXT_LENGTH_MAX ? `${text.slice(0, TEXT_LENGTH_MAX - 1)}…` : text;
}

/** Seconds, or a date (RFC 9110, section 10.2.3); null: absent, or something else. */
function retryAfterOf(value: string | null, nowMs: number): number | null {
  if (value === null) return null;
  const seconds = /^\d{1,15}$/.test(value) ? Number(value) : Math.ceil((Date.parse(value) - nowMs) / 1000);
  return Number.isNaN(seconds) ? null : Math.min(RETRY_AFTER_S_MAX, Math.max(0, seconds));
}
