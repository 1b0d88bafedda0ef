import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { clientDisabled } from './client-disabled.ts';
import type { ClientStanding } from './ports.ts';

/** @throws {TunnoxError} `client_disabled`, `client_claimed` */
export function requireActive({ clientId, state, suspended, upgradedTo }: ClientStanding): void {
  switch (state) {
    case 'active':
      return;
    case 'disabled':
      throw clientDisabled(clientId, suspended);
    case 'claimed':
      throw new TunnoxError('client_claimed', `Client ${clientId} was claimed`, {
        details: { new_client_id: upgradedTo },
      });
  }
}

/**
 * For an agent that shows the code of before a claim when nothing is handed over any more.
 *
 * @param next What it became; null: that is gone.
 */
export function claimedAway(clientId: number, next: ClientStanding | null): TunnoxError {
  if (next === null) {
    return new TunnoxError('client_claimed', `Client ${clientId} was claimed, and what it became was deleted since`);
  }
  return new TunnoxError(
    'client_claimed',
    `Client ${clientId} was claimed and is client ${next.clientId} now. Its new code is not given out (any more): it was ` +
      'used already, it was changed by its owner, or 30 days have passed. Use the code from the claim, or let its owner ' +
      `make a new one: POST /api/v1/clients/${next.clientId}/rotate-code`,
    { details: { new_client_id: next.clientId } },
  );
}
