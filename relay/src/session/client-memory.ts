import type { ClientPolicy } from '@tunnox/domain/policy';
import type { CloseCode } from '@tunnox/domain/relay-api';

interface Denial {
  code: CloseCode;
  message: string;
}

interface Remembered {
  policy: ClientPolicy | null;
  /** Tickets of this generation or an older one are no longer good. */
  denied: (Denial & { generation: number }) | null;
}

/** Bounds the memory of clients that are away. */
const CLIENTS_MAX = 10_000;

/**
 * What is known of clients that were attached here lately: so that one that comes back while the control plane is away
 * is served by its last policy, and one that was switched off is not.
 */
export class ClientMemory {
  /** In the order of use, oldest first. */
  readonly #clients = new Map<number, Remembered>();

  /** The last policy of a client that is away; null when none is known. */
  policy(clientId: number): ClientPolicy | null {
    return this.#clients.get(clientId)?.policy ?? null;
  }

  /** Keeps a policy unless a newer one is known. */
  remember(policy: ClientPolicy): void {
    const known = this.#clients.get(policy.client_id);
    const older = known?.policy ?? null;
    const newest = older !== null && older.config_version > policy.config_version ? older : policy;
    this.#put(policy.client_id, { policy: newest, denied: known?.denied ?? null });
  }

  /** The control plane has ended credentials up to `generation`. */
  deny(clientId: number, generation: number, { code, message }: Denial): void {
    const known = this.#clients.get(clientId)?.denied ?? null;
    // Two words about it may come in either order.
    if (known !== null && known.generation > generation) return;
    this.#put(clientId, { policy: this.policy(clientId), denied: { code, message, generation } });
  }

  /** The client is attached with the control plane's consent: what was remembered is over. */
  forget(clientId: number): void {
    this.#clients.delete(clientId);
  }

  /** Why a ticket of this generation does not count; null: nothing is known against it. */
  denial(clientId: number, generation: number): Denial | null {
    const known = this.#clients.get(clientId);
    if (known === undefined) return null;
    if (known.denied !== null && generation <= known.denied.generation) return known.denied;
    return known.policy !== null && known.policy.generation > generation
      ? { code: 'stale_ticket', message: 'The client has got a newer credential' }
      : null;
  }

  #put(clientId: number, client: Remembered): void {
    this.#clients.delete(clientId);
    this.#clients.set(clientId, client);
    if (this.#clients.size <= CLIENTS_MAX) return;
    for (const oldest of this.#clients.keys()) {
      this.#clients.delete(oldest);
      return;
    }
  }
}
