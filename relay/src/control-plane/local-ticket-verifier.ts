import { type TicketClaims, ticketClaimsSchema } from '@tunnox/domain/agent-api';
import type { Jwks } from '@tunnox/domain/relay-api';
import { createLocalJWKSet, errors, jwtVerify } from 'jose';
import type { Clock } from '../clock.ts';
import type { TicketVerifier } from '../session/ports.ts';
import { TicketError } from '../session/ticket-error.ts';

export interface LocalTicketVerifierDeps {
  clock: Clock;
  /** Asks the control plane for the present keys. */
  fetchKeys: () => Promise<Jwks>;
}

/** Clocks of control plane and relay may differ. */
const TOLERANCE_S = 60;
/** Tickets with an invented `kid` must not become load for the control plane. */
const REFETCH_MS = 5000;

/** Verifies tickets with keys that are held here; keys are asked for again when a ticket names an unknown one. */
export class LocalTicketVerifier implements TicketVerifier {
  readonly #deps: LocalTicketVerifierDeps;
  #keys: KeySet;
  #fetchedAtMs = Number.NEGATIVE_INFINITY;
  #fetching: Promise<void> | null = null;

  constructor(deps: LocalTicketVerifierDeps, keys: Jwks) {
    this.#deps = deps;
    this.#keys = toKeySet(keys);
  }

  setKeys(keys: Jwks): void {
    this.#keys = toKeySet(keys);
  }

  async verify(ticket: string): Promise<TicketClaims> {
    try {
      return await this.#verify(ticket);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw toTicketError(error);
    }
    await this.#refetch();
    try {
      return await this.#verify(ticket);
    } catch (error) {
      throw toTicketError(error);
    }
  }

  async #verify(ticket: string): Promise<TicketClaims> {
    const { payload } = await jwtVerify(ticket, this.#keys, {
      algorithms: ['ES256'],
      issuer: 'tunnox',
      audience: 'tunnox-relay',
      clockTolerance: TOLERANCE_S,
      currentDate: new Date(this.#deps.clock.now()),
      requiredClaims: ['exp', 'iat', 'sub'],
    });
    return ticketClaimsSchema.parse(payload);
  }

  async #refetch(): Promise<void> {
    const now = this.#deps.clock.now();
    if (this.#fetching === null && now - this.#fetchedAtMs < REFETCH_MS) return;
    this.#fetching ??= this.#fetch().finally(() => (this.#fetching = null));
    await this.#fetching;
  }

  async #fetch(): Promise<void> {
    this.#fetchedAtMs = this.#deps.clock.now();
    try {
      this.setKeys(await this.#deps.fetchKeys());
    } catch {
      // Away: the keys that are here have to do.
    }
  }
}

type KeySet = ReturnType<typeof createLocalJWKSet>;

function toKeySet({ keys }: Jwks): KeySet {
  return createLocalJWKSet({
    keys: keys.map(({ kty, crv, x, y, kid }) => ({
      kty,
      crv,
      x,
      y,
      alg: 'ES256',
      ...(kid === undefined ? {} : { kid }),
    })),
  });
}

function toTicketError(error: unknown): TicketError {
  if (error instanceof errors.JWTExpired) {
    return new TicketError('ticket_expired', 'The ticket has expired', { cause: error });
  }
  if (error instanceof errors.JWKSNoMatchingKey) {
    return new TicketError('bad_ticket', 'The ticket is signed with a key that is not known here', { cause: error });
  }
  return new TicketError('bad_ticket', 'The ticket is not valid', { cause: error });
}
