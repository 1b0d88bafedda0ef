import { createPublicKey, X509Certificate as NodeCertificate, type KeyObject } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createFileOnce, readTextFile, replaceFile } from './key-files.ts';
import { fingerprintOf, generatePrivateKeyPem, parsePrivateKey, toCryptoKeyPair } from './key-pair.ts';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from './x509.ts';

/** A relay's own key: what it registers with, and what peers and agents pin. */
export interface NodeIdentity {
  /** PKCS #8 PEM, EC P-256. */
  privateKeyPem: string;
  /** Self-signed; its dates carry no meaning, the pinned key does. */
  certificatePem: string;
  publicJwk: { kty: 'EC'; crv: 'P-256'; x: string; y: string };
  /** Lower-case hex SHA-256 of the SubjectPublicKeyInfo (DER). */
  fingerprint: string;
}

/** A pinned certificate is trusted for its key, so it outlives any machine. */
const LIFETIME_YEARS = 50;

/**
 * Loads the identity kept in `stateDir` (`node-key.pem`, `node-cert.pem`, both 0600), or makes it at the first start.
 * A damaged key is an error and never replaced: it would be another node.
 *
 * @throws {Error} when the key file cannot be read or is not an EC P-256 key.
 */
export async function loadOrCreateNodeIdentity(stateDir: string): Promise<NodeIdentity> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const keyFile = join(stateDir, 'node-key.pem');
  const privateKeyPem =
    (await readTextFile(keyFile)) ?? (await createFileOnce(keyFile, generatePrivateKeyPem(), 0o600));
  const privateKey = parsePrivateKey(privateKeyPem, keyFile);

  const certificateFile = join(stateDir, 'node-cert.pem');
  let certificatePem = await readTextFile(certificateFile);
  if (certificatePem === null || !belongsTo(certificatePem, privateKey)) {
    certificatePem = await selfSign(privateKey);
    await replaceFile(certificateFile, certificatePem, 0o600);
  }
  const { x, y } = createPublicKey(privateKey).export({ format: 'jwk' });
  if (x === undefined || y === undefined) throw new Error(`Cannot use the private key '${keyFile}': it has no point`);
  return {
    privateKeyPem,
    certificatePem,
    publicJwk: { kty: 'EC', crv: 'P-256', x, y },
    fingerprint: fingerprintOf(privateKey),
  };
}

function belongsTo(certificatePem: string, privateKey: KeyObject): boolean {
  try {
    return new NodeCertificate(certificatePem).checkPrivateKey(privateKey);
  } catch {
    return false;
  }
}

async function selfSign(privateKey: KeyObject): Promise<string> {
  const keys = toCryptoKeyPair(privateKey);
  const notBefore = new Date();
  // Clocks of two relays may differ.
  notBefore.setUTCDate(notBefore.getUTCDate() - 1);
  const notAfter = new Date(notBefore);
  notAfter.setUTCFullYear(notAfter.getUTCFullYear() + LIFETIME_YEARS);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=tunnox relay',
    notBefore,
    notAfter,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    keys,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension([{ type: 'dns', value: 'tunnox-relay' }]),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}
