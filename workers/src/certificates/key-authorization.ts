import { calculateJwkThumbprint, type JWK } from 'jose';

/** What proves control over a name: the challenge's token and the account's key (RFC 8555, section 8.1). */
export async function keyAuthorization(token: string, publicJwk: JWK): Promise<string> {
  return `${token}.${await calculateJwkThumbprint(publicJwk, 'sha256')}`;
}

/** Value of the TXT record at `_acme-challenge` (section 8.4). */
export async function dnsChallengeValue(authorization: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(authorization));
  return Buffer.from(digest).toString('base64url');
}
