import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  type webcrypto,
} from 'node:crypto';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' };

/** Makes an EC P-256 private key as PKCS #8 PEM. */
export function generatePrivateKeyPem(): string {
  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return privateKey;
}

/**
 * Reads an EC P-256 private key.
 *
 * @param origin What to name in the error, usually the file's path.
 * @throws {Error} when the text is not such a key.
 */
export function parsePrivateKey(pem: string, origin: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (cause) {
    throw new Error(`Cannot read the private key '${origin}': it must be a PEM file`, { cause });
  }
  if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new Error(`Cannot use the private key '${origin}': it must be an EC P-256 key`);
  }
  return key;
}

/** The pair as Web Crypto keys, for signing certificates. */
export function toCryptoKeyPair(privateKey: KeyObject): webcrypto.CryptoKeyPair {
  return {
    privateKey: privateKey.toCryptoKey(ALGORITHM, true, ['sign']),
    publicKey: createPublicKey(privateKey).toCryptoKey(ALGORITHM, true, ['verify']),
  };
}

/** Lower-case hex SHA-256 of the key's SubjectPublicKeyInfo (DER): what peers and agents pin. */
export function fingerprintOf(key: KeyObject): string {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}
