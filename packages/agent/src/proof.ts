import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * Proof that the source agent of a private mapping knows its secret: base64url of HMAC-SHA-256 over binding, source
 * client and tunnel id. Relays pass it on and cannot make it. See docs/PROTOCOL.md, "Proof".
 *
 * @param secret The mapping's secret, base64url.
 */
export function makeProof(secret: string, bindingId: string, sourceClientId: string, tunnelId: string): string {
  return createHmac('sha256', Buffer.from(secret, 'base64url'))
    .update(`tunnox-proof/1\n${bindingId}\n${sourceClientId}\n${tunnelId}`)
    .digest('base64url');
}

/** Checks a proof as it came over the wire, in constant time. */
export function isProof(
  proof: string,
  secret: string,
  bindingId: string,
  sourceClientId: string,
  tunnelId: string,
): boolean {
  const expected = Buffer.from(makeProof(secret, bindingId, sourceClientId, tunnelId));
  const given = Buffer.from(proof);
  return given.length === expected.length && timingSafeEqual(given, expected);
}
