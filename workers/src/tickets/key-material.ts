import {
  calculateJwkThumbprint,
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
  type JWK_EC_Public,
  type JWK_RSA_Public,
} from 'jose';
import type { NewSigningKey, SigningAlgorithm } from '../services/signing-key-ports.ts';
import type { Cipher } from '../services/ports.ts';
import { randomBytes, toBase64Url } from '../services/random.ts';

/** RFC 7518, section 3.3: 2048 bits at least. */
const RSA_BITS = 2048;
/** RFC 7518, section 3.2: as long as the hash at least. */
const HMAC_KEY_BYTES = 32;
const KID_BYTES = 16;

/** A key in the form in which signatures are made and verified. */
export type KeyMaterial = CryptoKey | Uint8Array;

/** Makes a key; its private half is encrypted for storing. */
export async function makeKey(algorithm: SigningAlgorithm, cipher: Cipher): Promise<NewSigningKey> {
  if (algorithm === 'HS256') {
    const jwk = { kty: 'oct', k: toBase64Url(randomBytes(HMAC_KEY_BYTES)) };
    // Not the thumbprint: nothing that is shown is made of the secret.
    const kid = toBase64Url(randomBytes(KID_BYTES));
    return { kid, algorithm, publicJwk: null, privateKeyEncrypted: await seal(cipher, jwk) };
  }
  const pair = await generateKeyPair(algorithm, { extractable: true, modulusLength: RSA_BITS });
  const exported = await exportJWK(pair.publicKey);
  const publicJwk = toPublicJwk(algorithm, exported);
  const privateKeyEncrypted = await seal(cipher, await exportJWK(pair.privateKey));
  return { kid: await calculateJwkThumbprint(exported), algorithm, publicJwk, privateKeyEncrypted };
}

/** The half that signs. */
export async function openSigningHalf(
  key: Pick<NewSigningKey, 'algorithm' | 'privateKeyEncrypted'>,
  cipher: Cipher,
): Promise<KeyMaterial> {
  const text = new TextDecoder().decode(await cipher.decrypt(key.privateKeyEncrypted));
  return importJWK(JSON.parse(text) as JWK, key.algorithm);
}

/** The half that verifies: of HS256 the same. */
export async function openVerifyingHalf(key: NewSigningKey, cipher: Cipher): Promise<KeyMaterial> {
  return key.publicJwk === null ? openSigningHalf(key, cipher) : importJWK(key.publicJwk as JWK, key.algorithm);
}

function toPublicJwk(algorithm: 'ES256' | 'RS256', jwk: JWK): NonNullable<NewSigningKey['publicJwk']> {
  if (algorithm === 'ES256') {
    const { x, y } = jwk as JWK_EC_Public;
    return { kty: 'EC', crv: 'P-256', x, y };
  }
  const { n, e } = jwk as JWK_RSA_Public;
  return { kty: 'RSA', n, e };
}

function seal(cipher: Cipher, jwk: JWK): Promise<string> {
  return cipher.encrypt(new TextEncoder().encode(JSON.stringify(jwk)));
}
