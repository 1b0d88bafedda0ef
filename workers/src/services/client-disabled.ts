import { TunnoxError } from '@tunnox/domain/tunnox-error';

/** @param suspended By an operator, and why; null: its owner, or its owner's account, is switched off. */
export function clientDisabled(clientId: number, suspended: { reason: string | null } | null): TunnoxError {
  return new TunnoxError('client_disabled', `Client ${clientId} is ${suspensionText(suspended)}`);
}

/** `disabled`, or by whom and why. */
export function suspensionText(suspended: { reason: string | null } | null): string {
  if (suspended === null) return 'disabled';
  return suspended.reason === null ? 'suspended by an operator' : `suspended by an operator: ${suspended.reason}`;
}
