import { createHash, X509Certificate, type KeyObject } from 'node:crypto';

/** Lower-case hex SHA-256 of a public key's SubjectPublicKeyInfo (DER). */
export function spkiFingerprint(key: KeyObject): string {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

/** The fingerprint of a certificate's key, from PEM or DER. */
export function certificateFingerprint(certificate: string | Buffer): string {
  return spkiFingerprint(new X509Certificate(certificate).publicKey);
}
