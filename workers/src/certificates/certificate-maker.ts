import 'reflect-metadata';
import { Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension, X509Certificate } from '@peculiar/x509';
import type { KeyedCipher } from '../services/keyed-cipher.ts';
import { CertificateFault, type CertificateMaker } from './certificate-ports.ts';

/** What every visitor's TLS takes, and relays handshake fastest with. */
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** More than any authority sends. */
const CHAIN_LENGTH_MAX = 10;

/** Keys and requests for certificates; keys leave it encrypted only. @param cipher For keys. */
export function createCertificateMaker(cipher: KeyedCipher): CertificateMaker {
  return {
    async newKey() {
      const { privateKey } = (await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as CryptoKeyPair;
      const der = (await crypto.subtle.exportKey('pkcs8', privateKey)) as ArrayBuffer;
      return await cipher.encrypt(new Uint8Array(der));
    },

    async csr(keyEncrypted, names) {
      const keys = await keyPair(cipher, keyEncrypted);
      const request = await Pkcs10CertificateRequestGenerator.create({
        // Names longer than a common name may be stand in the extension alone, as all do.
        ...{ name: '', keys, signingAlgorithm: ALGORITHM },
        extensions: [new SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns' as const, value })))],
      });
      return new Uint8Array(request.rawData);
    },

    async inspect(chain, keyEncrypted, names) {
      const certificates = certificatesOf(chain);
      const [certificate] = certificates;
      const { publicKey } = await keyPair(cipher, keyEncrypted);
      const expected = (await crypto.subtle.exportKey('spki', publicKey)) as ArrayBuffer;
      if (!Buffer.from(expected).equals(Buffer.from(certificate.publicKey.rawData))) {
        throw new CertificateFault('The certificate authority sent a certificate for another key');
      }
      const held = certificate.getExtension(SubjectAlternativeNameExtension)?.names.toJSON() ?? [];
      const has = new Set(held.flatMap(({ type, value }) => (type === 'dns' ? [value.toLowerCase()] : [])));
      const missing = names.filter((name) => !has.has(name));
      if (missing.length > 0)
        throw new CertificateFault(`The certificate authority sent a certificate without ${missing.join(', ')}`);
      const { notBefore, notAfter } = certificate;
      return { chain: certificates.map((one) => `${one.toString('pem')}\n`).join(''), notBefore, notAfter };
    },
  };
}

/** @throws {CertificateFault} */
function certificatesOf(chain: string): [X509Certificate, ...X509Certificate[]] {
  const blocks = chain.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  try {
    const [first, ...others] = blocks.slice(0, CHAIN_LENGTH_MAX).map((block) => new X509Certificate(block));
    if (first === undefined || blocks.length > CHAIN_LENGTH_MAX)
      throw new Error(`It has ${blocks.length} certificates`);
    return [first, ...others];
  } catch (cause) {
    throw new CertificateFault('The certificate authority sent a chain of certificates that cannot be read', { cause });
  }
}

/** A private key in PEM, for relays. */
export async function keyPem(cipher: KeyedCipher, keyEncrypted: string): Promise<string> {
  const lines =
    Buffer.from(await cipher.decrypt(keyEncrypted))
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`;
}

async function keyPair(cipher: KeyedCipher, keyEncrypted: string): Promise<CryptoKeyPair> {
  const der = Uint8Array.from(await cipher.decrypt(keyEncrypted));
  const privateKey = await crypto.subtle.importKey('pkcs8', der, ALGORITHM, true, ['sign']);
  const jwk = (await crypto.subtle.exportKey('jwk', privateKey)) as JsonWebKey;
  const { kty, crv, x, y } = jwk;
  const half = { kty, crv, x, y } as JsonWebKey;
  const publicKey = await crypto.subtle.importKey('jwk', half, ALGORITHM, true, ['verify']);
  return { privateKey, publicKey };
}
