import type { KeyPurpose } from '../services/signing-key-ports.ts';

/** How long tokens of each purpose are good. Tickets (for relays, which verify them alone) the longest that an outage may last. */
export const TOKEN_LIFE_S = {
  ticket: 12 * 3600,
  access: 3600,
  relay: 24 * 3600,
  session: 15 * 60,
} as const satisfies Record<KeyPurpose, number>;

/** How long an isolate trusts the keys it has read. A key that is not among them is looked for at once. */
export const KEYS_CACHE_MS = 60_000;

/**
 * So long a new key is known before it signs. Relays verify tickets alone: they are told of a key at once and by every
 * sweep meanwhile. Relays' own tokens are taken while Postgres is away, by isolates that have read the keys before.
 * What only counts together with Postgres can be signed by a new key at once.
 */
export const KNOWN_BEFORE_MS: Record<KeyPurpose, number> = { ticket: 150_000, relay: 150_000, access: 0, session: 0 };

/** Differences of clocks, and time that a request takes. */
const MARGIN_S = 5 * 60;

/** How long a key verifies after another has taken its place: until the last token that it can have signed has ended. */
export function retiredForS(purpose: KeyPurpose): number {
  return TOKEN_LIFE_S[purpose] + (KNOWN_BEFORE_MS[purpose] + KEYS_CACHE_MS) / 1000 + MARGIN_S;
}
