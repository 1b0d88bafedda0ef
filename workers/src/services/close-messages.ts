import type { CloseCode } from '@tunnox/domain/relay-api';

/** What an agent is told when its session may not (or no longer) be. */
export const CLOSE_MESSAGES: Record<CloseCode, string> = {
  replaced: 'A newer session of this client is attached.',
  disabled: 'The client is disabled.',
  deleted: 'The client was deleted, or its time has ended.',
  claimed: 'The client was claimed: its new identity waits at the control plane.',
  stale_ticket: 'The credential was changed; a new ticket is needed.',
  disconnected: 'The owner of the client has disconnected it.',
};
