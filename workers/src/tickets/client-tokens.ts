import type { TicketClaims } from '@tunnox/domain/agent-api';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { z } from 'zod';
import type { AccessTokenClaims, AccessTokenVerifier } from '../services/ports.ts';
import type { SigningKeys } from './signing-keys.ts';
import { API_AUDIENCE, type SignedToken, signToken, verifyToken } from './tokens.ts';

/** Whom tokens are made for. */
export interface TokenSubject {
  clientId: number;
  userId: number | null;
  generation: number;
}

export interface ClientTokens extends AccessTokenVerifier {
  /** For relays, which verify it alone. */
  ticket(subject: TokenSubject, group: string): Promise<SignedToken>;
  /** For the control plane; never sent to a relay. */
  accessToken(subject: TokenSubject): Promise<SignedToken>;
}

const accessClaimsSchema = z.object({
  role: z.literal('client'),
  sub: z.string(),
  user_id: z.int().nullable(),
  generation: z.int(),
});

/** Tickets (12 h, shown to relays) and access tokens (1 h, shown to the control plane) of clients. */
export function createClientTokens(keys: SigningKeys, now: () => number): ClientTokens {
  return {
    ticket({ clientId, userId, generation }, group) {
      const claims = { aud: 'tunnox-relay', sub: String(clientId), user_id: userId, group, generation } satisfies Omit<
        TicketClaims,
        'iss' | 'iat' | 'exp'
      >;
      return signToken(keys, 'ticket', claims, now());
    },

    accessToken({ clientId, userId, generation }) {
      const claims = { aud: API_AUDIENCE, sub: String(clientId), role: 'client', user_id: userId, generation };
      return signToken(keys, 'access', claims, now());
    },

    async verify(token): Promise<AccessTokenClaims> {
      const payload = await verifyToken(keys, 'access', token, { audience: API_AUDIENCE, nowMs: now() });
      const claims = accessClaimsSchema.safeParse(payload);
      if (!claims.success) throw new TunnoxError('unauthenticated', 'The token is not valid');
      return claims.data;
    },
  };
}
