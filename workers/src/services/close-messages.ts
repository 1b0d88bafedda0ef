import type { CloseCode } from '@tunnox/domain/relay-api';
import { suspensionText } from './client-disabled.ts';
import type { ClientStanding } from './ports.ts';

/** What an agent is told when its session may not (or no longer) be. */
export const CLOSE_MESSAGES: Record<CloseCode, string> = {
  replaced: 'A newer session of this client is attached.',
  disabled: 'The client is disabled.',
  deleted: 'The client was deleted, or its time has ended.',
  claimed: 'The client was claimed: its new identity waits at the control plane.',
  stale_ticket: 'The credential was changed; a new ticket is needed.',
  disconnected: 'The owner of the client has disconnected it.',
};

/** The same, with the reason of an operator who has suspended the client. */
export function closeMessage(code: CloseCode, standing: Pick<ClientStanding, 'suspended'> | undefined): string {
  const suspended = standing?.suspended ?? null;
  return code === 'disabled' && suspended !== null
    ? `The client is ${suspensionText(suspended)}`
    : CLOSE_MESSAGES[code];
}
