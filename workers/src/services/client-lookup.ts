import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { clientDisabled } from './client-disabled.ts';
import type { ClientRecord, ClientRepository } from './client-ports.ts';
import { type Caller, invalid, notFound, requireWrite, type Tenant, tenantOf } from './principal.ts';

export type ClientLookup = Pick<ClientRepository, 'find'>;

/**
 * The client that shall serve something: the one that the request names, or the calling client.
 *
 * @param pointer Where the request names it.
 * @throws {TunnoxError} `not_found` also for another tenant's, `client_disabled`, `client_claimed`, `invalid`
 */
export async function findServingClient(
  clients: ClientLookup,
  caller: Caller,
  clientId: number | undefined,
  pointer: string,
): Promise<ClientRecord> {
  const { principal } = caller;
  const id = clientId ?? (principal.role === 'client' ? principal.clientId : undefined);
  if (id === undefined) throw invalid(pointer, 'must name a client');
  const client = await clients.find(id, siblingsOf(caller));
  if (client === null) throw notFound('client', id);
  requireWrite(caller, client);
  switch (client.state) {
    case 'active':
      return client;
    case 'disabled':
      throw clientDisabled(id, client.suspended ? { reason: client.suspended_reason } : null);
    case 'claimed':
      throw new TunnoxError('client_claimed', `Client ${id} was claimed`);
  }
}

/** A managed client may name the other clients of its user, or those of its team if it is in one. */
function siblingsOf({ principal }: Caller): Tenant {
  if (principal.role === 'client' && principal.userId !== null) {
    return { kind: 'owner', userId: principal.userId, namespaceId: principal.namespaceId };
  }
  return tenantOf(principal);
}
