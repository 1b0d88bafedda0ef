import type { Cause } from '@tunnox/protocol/causes';

/** How a try to get a request to a target has failed. */
export type FailedTry =
  /** No tunnel: nothing of the request was sent. */
  | { kind: 'not_opened'; cause: Cause }
  /** The tunnel died after the request, or a part of it, was written to it. */
  | { kind: 'died'; reused: boolean; answerBegan: boolean; method: string; hasBody: boolean };

/**
 * Tells whether the request may be sent once more, to another upstream or through another tunnel.
 *
 * A tunnel that was not opened has carried nothing, so only a verdict stops us: the policy that refused will refuse
 * again. A tunnel that died may have delivered the request: it is repeated only where that can do no harm (RFC 9110,
 * section 9.2.2), where the likely reason is a target that closed an idle connection, and where the body, which is not
 * kept, was none.
 */
export function mayTryAgain(failed: FailedTry): boolean {
  if (failed.kind === 'not_opened') return !VERDICTS.has(failed.cause);
  return failed.reused && !failed.answerBegan && !failed.hasBody && IDEMPOTENT.has(failed.method);
}

const VERDICTS: ReadonlySet<Cause> = new Set([
  'not_allowed',
  'denied',
  'disabled',
  'bad_proof',
  'connection_limit',
  'traffic_limit',
  'active_limit',
]);

const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);
