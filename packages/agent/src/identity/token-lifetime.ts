/** What is assumed of a token that does not say. */
const UNKNOWN_LIFETIME_MS = 3_600_000;

/**
 * For how long a JWT is valid from its making, in milliseconds. By its own two claims: this machine's clock may be
 * hours wrong. Nothing is verified, it only tells when to ask for the next one.
 */
export function tokenLifetimeMs(token: string): number {
  const [, payload = ''] = token.split('.');
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
    if (typeof claims === 'object' && claims !== null && 'iat' in claims && 'exp' in claims) {
      const lifetimeMs = (Number(claims.exp) - Number(claims.iat)) * 1000;
      if (lifetimeMs > 0) return lifetimeMs;
    }
  } catch {
    // Not a JWT: opaque to us.
  }
  return UNKNOWN_LIFETIME_MS;
}
