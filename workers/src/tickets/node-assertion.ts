import type { EcPublicJwk } from '@tunnox/domain/relay-api';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { compactVerify, importJWK } from 'jose';
import { z } from 'zod';

/** Difference of clocks up to which an assertion is taken. */
export const ASSERTION_SKEW_MS = 5 * 60_000;

const ALGORITHM = 'ES256';
const AUDIENCE = 'tunnox-register';

const claimsSchema = z.object({
  aud: z.union([z.string(), z.array(z.string())]),
  iat: z.int().min(0).max(100_000_000_000),
  jti: z.string().min(8).max(128),
});

/** A node key that was proved. */
export interface ProvedKey {
  /** Lower-case hex SHA-256 of the key's SubjectPublicKeyInfo (DER). */
  fingerprint: string;
  /** Id of the assertion, to be used up. */
  jti: string;
  /** Milliseconds since 1970 after which the assertion is refused for its age. */
  expiresAtMs: number;
}

/**
 * Verifies the assertion with which a relay proves that it has the private half of `jwk`.
 *
 * @throws {TunnoxError} `unauthenticated`, or `clock_skew` when the relay's clock differs by more than five minutes
 */
export async function verifyNodeAssertion(assertion: string, jwk: EcPublicJwk, nowMs: number): Promise<ProvedKey> {
  const { kty, crv, x, y } = jwk;
  let payload: Uint8Array;
  let fingerprint: string;
  try {
    const key = await importJWK({ kty, crv, x, y }, ALGORITHM, { extractable: true });
    if (key instanceof Uint8Array) throw new Error('Cannot use a symmetric key');
    ({ payload } = await compactVerify(assertion, key, { algorithms: [ALGORITHM] }));
    fingerprint = await spkiFingerprint(key);
  } catch (cause) {
    throw new TunnoxError('unauthenticated', 'The assertion is not signed by the key that was sent', { cause });
  }
  const claims = parseClaims(payload);
  const issuedAtMs = claims.iat * 1000;
  const skewMs = issuedAtMs - nowMs;
  if (Math.abs(skewMs) > ASSERTION_SKEW_MS) {
    const minutes = Math.round(Math.abs(skewMs) / 60_000);
    throw new TunnoxError(
      'clock_skew',
      `This relay's clock is ${minutes} minutes ${skewMs > 0 ? 'ahead' : 'behind'}; five are allowed. Set it by NTP.`,
      { details: { server_time: new Date(nowMs).toISOString(), relay_time: new Date(issuedAtMs).toISOString() } },
    );
  }
  return { fingerprint, jti: claims.jti, expiresAtMs: issuedAtMs + 2 * ASSERTION_SKEW_MS };
}

function parseClaims(payload: Uint8Array): z.infer<typeof claimsSchema> {
  try {
    const claims = claimsSchema.parse(JSON.parse(new TextDecoder().decode(payload)));
    if ([claims.aud].flat().includes(AUDIENCE)) return claims;
  } catch (cause) {
    throw new TunnoxError('unauthenticated', 'The assertion cannot be read', { cause });
  }
  throw new TunnoxError('unauthenticated', `The assertion is not meant for us: its audience must be '${AUDIENCE}'`);
}

async function spkiFingerprint(key: CryptoKey): Promise<string> {
  const spki = (await crypto.subtle.exportKey('spki', key)) as ArrayBuffer;
  const digest = await crypto.subtle.digest('SHA-256', spki);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
