import { TunnoxError } from '@tunnox/domain/tunnox-error';

/** A message that cannot be read in one way only: it is answered with 400 and never forwarded. */
export function malformed(detail: string): TunnoxError {
  return new TunnoxError('malformed', detail);
}

export function headTooLarge(detail: string): TunnoxError {
  return new TunnoxError('head_too_large', detail);
}
