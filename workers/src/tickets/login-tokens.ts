import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { z } from 'zod';
import { randomBytes, toBase64Url } from '../services/random.ts';
import type { LoginTokens } from '../services/login-ports.ts';
import type { SigningKeys } from './signing-keys.ts';
import { API_AUDIENCE, signToken, verifyToken } from './tokens.ts';

const NONCE_BYTES = 16;

const claimsSchema = z.object({
  role: z.literal('user'),
  sub: z.string().regex(/^[1-9]\d{0,14}$/),
  sid: z.string().min(1).max(64),
});

/** Access tokens of people who have logged in: 15 minutes, and only as long as the log-in lives. */
export function createLoginTokens(keys: SigningKeys, now: () => number): LoginTokens {
  return {
    async prepare() {
      await keys.signing('session');
    },
    issue({ userId, family }) {
      const jti = toBase64Url(randomBytes(NONCE_BYTES));
      return signToken(
        keys,
        'session',
        { aud: API_AUDIENCE, sub: String(userId), role: 'user', sid: family, jti },
        now(),
      );
    },
    async verify(token) {
      const payload = await verifyToken(keys, 'session', token, { audience: API_AUDIENCE, nowMs: now() });
      const claims = claimsSchema.safeParse(payload);
      if (!claims.success) throw new TunnoxError('unauthenticated', 'The token is not valid');
      return { userId: Number(claims.data.sub), family: claims.data.sid };
    },
  };
}
