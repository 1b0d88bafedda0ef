import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { decodeProtectedHeader, errors, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import type { KeyPurpose } from '../services/signing-key-ports.ts';
import { TOKEN_LIFE_S } from './key-times.ts';
import type { SigningKeys } from './signing-keys.ts';

export const ISSUER = 'tunnox';

/** `aud` of what opens the management API. */
export const API_AUDIENCE = 'tunnox-api';

/** Difference between the clocks of Workers that is overlooked. */
const CLOCK_TOLERANCE_S = 5;

export interface SignedToken {
  token: string;
  /** RFC 3339. */
  expiresAt: string;
}

/** What stands beside `iss`, `iat` and `exp` in a token. */
export type TokenClaims = JWTPayload & { aud: string; sub: string };

/** Signs a JWT of the purpose; it lives as long as tokens of that purpose do. */
export async function signToken(
  keys: SigningKeys,
  purpose: KeyPurpose,
  claims: TokenClaims,
  nowMs: number,
): Promise<SignedToken> {
  const { kid, algorithm, material } = await keys.signing(purpose);
  const issuedAt = Math.floor(nowMs / 1000);
  const expiresAt = issuedAt + TOKEN_LIFE_S[purpose];
  const token = await new SignJWT(claims)
    .setProtectedHeader({ alg: algorithm, kid, typ: 'JWT' })
    .setIssuer(ISSUER)
    .setIssuedAt(issuedAt)
    .setExpirationTime(expiresAt)
    .sign(material);
  return { token, expiresAt: new Date(expiresAt * 1000).toISOString() };
}

/**
 * Verifies a JWT that {@link signToken} made.
 *
 * @throws {TunnoxError} `unauthenticated`; `unavailable` when the keys cannot be read
 */
export async function verifyToken(
  keys: SigningKeys,
  purpose: KeyPurpose,
  token: string,
  expected: { audience: string; nowMs: number },
): Promise<JWTPayload & { sub: string }> {
  const key = await keys.verifying(purpose, keyIdOf(token));
  if (key === null) throw refused('The token was signed by an unknown key');
  try {
    const { payload } = await jwtVerify(token, key.material, {
      // The key says how it is used, never the token: a public key is no HMAC secret.
      algorithms: [key.algorithm],
      issuer: ISSUER,
      audience: expected.audience,
      requiredClaims: ['sub', 'exp'],
      clockTolerance: CLOCK_TOLERANCE_S,
      currentDate: new Date(expected.nowMs),
    });
    return { ...payload, sub: payload.sub ?? '' };
  } catch (cause) {
    throw refused(cause instanceof errors.JWTExpired ? 'The token has expired' : 'The token is not valid', cause);
  }
}

function keyIdOf(token: string): string {
  try {
    return decodeProtectedHeader(token).kid ?? '';
  } catch (cause) {
    throw refused('The token cannot be read', cause);
  }
}

function refused(message: string, cause?: unknown): TunnoxError {
  return new TunnoxError('unauthenticated', message, { cause });
}
