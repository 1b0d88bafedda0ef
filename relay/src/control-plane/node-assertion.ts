import { randomUUID } from 'node:crypto';
import { importPKCS8, SignJWT } from 'jose';

/**
 * Signs the JWT that proves the node key to the control plane: `aud` `tunnox-register`, `iat`, a `jti` that counts once.
 *
 * @see docs/PROTOCOL.md, Relay ↔ control plane
 */
export async function signNodeAssertion(privateKeyPem: string, nowMs: number): Promise<string> {
  const key = await importPKCS8(privateKeyPem, 'ES256');
  return new SignJWT({})
    .setProtectedHeader({ alg: 'ES256' })
    .setAudience('tunnox-register')
    .setIssuedAt(Math.floor(nowMs / 1000))
    .setJti(randomUUID())
    .sign(key);
}
