import type { Cause } from '@tunnox/protocol/causes';

/** A target that could not be reached, with the cause that goes back to the relay. */
export class TargetError extends Error {
  readonly tunnelCause: Cause;

  constructor(tunnelCause: Cause, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TargetError';
    this.tunnelCause = tunnelCause;
  }
}

/**
 * Turns what `net`, `tls` or `dns` threw into a cause and a sentence for the owner of the service.
 *
 * @param place `host:port` of the target.
 */
export function targetErrorOf(error: unknown, place: string): TargetError {
  if (error instanceof TargetError) return error;
  // Happy eyeballs fail with one error for each address.
  const errors: unknown[] = error instanceof AggregateError ? error.errors : [error];
  const denied = errors.find((each) => each instanceof TargetError);
  if (denied !== undefined) return denied;
  const codes = errors.map(codeOf);
  const has = (...wanted: string[]): boolean => codes.some((code) => wanted.includes(code));
  const options = { cause: error };
  if (has('ECONNREFUSED')) {
    return new TargetError('refused', `Nothing listens at ${place}: start your service, or check the port`, options);
  }
  if (has('ETIMEDOUT', 'ABORT_ERR')) return new TargetError('timeout', `${place} does not answer`, options);
  if (has('ENOTFOUND', 'EAI_AGAIN', 'ENODATA', 'EAI_FAIL', 'EAI_NODATA')) {
    return new TargetError('dns', `The name in ${place} has no address`, options);
  }
  if (codes.some(isTlsCode))
    return new TargetError('tls', `TLS with ${place} failed: ${messageOf(errors[0])}`, options);
  return new TargetError('unreachable', `${place} cannot be reached: ${messageOf(errors[0])}`, options);
}

function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  return String(error.code);
}

/** Certificate checks of OpenSSL have bare codes, such as `DEPTH_ZERO_SELF_SIGNED_CERT`. */
function isTlsCode(code: string): boolean {
  return /^(?:ERR_TLS|ERR_SSL|EPROTO|CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|HOSTNAME_MISMATCH|INVALID_CA)/.test(code);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
