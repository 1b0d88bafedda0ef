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
}

/** RFC 8555, section 6.7: problems of an order may have one for each of its names. */
export const acmeProblemSchema = z.object({
  type: z.string().optional(),
  detail: z.string().optional(),
  subproblems: z
    .array(z.object({ detail: z.string().optional(), identifier: z.object({ value: z.string() }).optional() }))
    .optional(),
});

/** What an answer that is no success means. */
export function acmeErrorOf(status: number, retryAfter: string | null, body: unknown): AcmeError {
  const problem = acmeProblemSchema.safeParse(body).data;
  const type = problem?.type ?? null;
  const retryAfterS = retryAfter !== null && /^\d{1,7}$/.test(retryAfter) ? Number(retryAfter) : null;
  const message = problemText(problem) ?? `The certificate authority answers with status ${status}`;
  if (status === 429 || type === 'urn:ietf:params:acme:error:rateLimited') {
    return new AcmeError('rate_limited', message, { type, retryAfterS: retryAfterS ?? 3600 });
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
  return [problem.detail, ...parts].join('; ');
}
