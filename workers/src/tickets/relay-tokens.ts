import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { nodeIdSchema, ulidSchema } from '@tunnox/domain/presence';
import { z } from 'zod';
import type { SigningKeys } from './signing-keys.ts';
import { type SignedToken, signToken, verifyToken } from './tokens.ts';

const RELAY_AUDIENCE = 'tunnox-relay-api';

/** Which run of which relay calls. */
export interface RelayIdentity {
  nodeId: string;
  incarnation: string;
  /** Of the relay's key, which stays when its node id changes hands; null: a token of an earlier version. */
  fingerprint: string | null;
}

export interface RelayTokens {
  issue(identity: RelayIdentity): Promise<SignedToken>;
  /** @throws {TunnoxError} `unauthenticated`. Whether the incarnation is still the node's, its owner knows. */
  verify(token: string): Promise<RelayIdentity>;
}

const claimsSchema = z.object({ sub: nodeIdSchema, incarnation: ulidSchema, key: z.string().optional() });

/** Bearer tokens of relays: 24 h, bound to node and incarnation. */
export function createRelayTokens(keys: SigningKeys, now: () => number): RelayTokens {
  return {
    issue({ nodeId, incarnation, fingerprint }) {
      const claims = {
        aud: RELAY_AUDIENCE,
        sub: nodeId,
        incarnation,
        ...(fingerprint === null ? {} : { key: fingerprint }),
      };
      return signToken(keys, 'relay', claims, now());
    },
    async verify(token) {
      const payload = await verifyToken(keys, 'relay', token, { audience: RELAY_AUDIENCE, nowMs: now() });
      const claims = claimsSchema.safeParse(payload);
      if (!claims.success) throw new TunnoxError('unauthenticated', 'The token is not valid');
      const { sub: nodeId, incarnation, key = null } = claims.data;
      return { nodeId, incarnation, fingerprint: key };
    },
  };
}
