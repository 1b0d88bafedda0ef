import { X509Certificate as NodeCertificate } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { createFileOnce, readTextFile, replaceFile } from './key-files.ts';
import { fingerprintOf, generatePrivateKeyPem, parsePrivateKey, toCryptoKeyPair } from './key-pair.ts';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from './x509.ts';

export interface ServerCertificateFiles {
  certFile: string;
  keyFile: string;
}

export interface DevelopmentCaDeps {
  now: () => Date;
}

const DAY_MS = 86_400_000;
const CA_LIFETIME_DAYS = 3650;
/** Apple refuses server certificates of more than 825 days even from a CA that the user added. */
const SERVER_LIFETIME_DAYS = 397;
const RENEW_BEFORE_DAYS = 30;
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' };

/** Names under which a local platform is reached when its base domain is `baseDomain`. */
export function localServerNames(baseDomain: string): string[] {
  return [`*.${baseDomain}`, baseDomain, 'localhost', '127.0.0.1', '::1'];
}

/**
 * A certificate authority for one machine: `ca.pem` and `ca-key.pem` (0600) in one folder. Nobody but the person who
 * gives `ca.pem` to a client (`curl --cacert`, a browser's settings) trusts it.
 */
export class DevelopmentCa {
  readonly caFile: string;
  readonly certificatePem: string;
  readonly #keyPem: string;
  readonly #deps: DevelopmentCaDeps;

  private constructor(caFile: string, certificatePem: string, keyPem: string, deps: DevelopmentCaDeps) {
    this.caFile = caFile;
    this.certificatePem = certificatePem;
    this.#keyPem = keyPem;
    this.#deps = deps;
  }

  /** Loads the authority of `dir`, or makes it; one that ends within 30 days is signed anew with the same key. */
  static async loadOrCreate(dir: string, deps: DevelopmentCaDeps = { now: () => new Date() }): Promise<DevelopmentCa> {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const keyFile = join(dir, 'ca-key.pem');
    const keyPem = (await readTextFile(keyFile)) ?? (await createFileOnce(keyFile, generatePrivateKeyPem(), 0o600));
    const caFile = join(dir, 'ca.pem');
    let certificatePem = await readTextFile(caFile);
    if (certificatePem === null || !usable(certificatePem, keyPem, keyFile, deps.now())) {
      certificatePem = await signCa(keyPem, keyFile, deps.now());
      await replaceFile(caFile, certificatePem, 0o644);
    }
    return new DevelopmentCa(caFile, certificatePem, keyPem, deps);
  }

  /**
   * Writes a server certificate for `names` (DNS names, also `*.x`, and IP addresses) and its key, unless the files
   * already hold one of this authority for the same names that is good for 30 days more.
   *
   * @returns True when the files were written.
   */
  async ensureServerCertificate(files: ServerCertificateFiles, names: string[]): Promise<boolean> {
    if (names.length === 0) throw new Error('Cannot issue a certificate: names must not be empty');
    const current = await readTextFile(files.certFile);
    const currentKey = await readTextFile(files.keyFile);
    if (current !== null && currentKey !== null && this.#isCurrent(current, currentKey, files.keyFile, names)) {
      return false;
    }
    const keyPem = generatePrivateKeyPem();
    const certificatePem = await this.#issue(keyPem, files.keyFile, names);
    await replaceFile(files.keyFile, keyPem, 0o600);
    await replaceFile(files.certFile, certificatePem, 0o644);
    return true;
  }

  #isCurrent(certificatePem: string, keyPem: string, keyFile: string, names: string[]): boolean {
    if (!usable(certificatePem, keyPem, keyFile, this.#deps.now())) return false;
    const certificate = new NodeCertificate(certificatePem);
    const caCertificate = new NodeCertificate(this.certificatePem);
    return (
      certificate.checkIssued(caCertificate) &&
      certificate.verify(caCertificate.publicKey) &&
      sanOf(certificatePem) === sanOfNames(names)
    );
  }

  async #issue(keyPem: string, keyFile: string, names: string[]): Promise<string> {
    const keys = toCryptoKeyPair(parsePrivateKey(keyPem, keyFile));
    const caKeys = toCryptoKeyPair(parsePrivateKey(this.#keyPem, 'ca-key.pem'));
    const ca = new X509Certificate(this.certificatePem);
    const certificate = await X509CertificateGenerator.create({
      subject: `CN=${commonNameOf(names)}`,
      issuer: ca.subject,
      ...validity(this.#deps.now(), SERVER_LIFETIME_DAYS),
      signingAlgorithm: SIGNING,
      publicKey: keys.publicKey,
      signingKey: caKeys.privateKey,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
        sanExtension(names),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
        await AuthorityKeyIdentifierExtension.create(caKeys.publicKey),
      ],
    });
    return `${certificate.toString('pem')}\n`;
  }
}

async function signCa(keyPem: string, keyFile: string, now: Date): Promise<string> {
  const privateKey = parsePrivateKey(keyPem, keyFile);
  const keys = toCryptoKeyPair(privateKey);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    // Several machines' authorities may stand in one trust store: the name tells them apart.
    name: `CN=Tunnox development CA ${fingerprintOf(privateKey).slice(0, 8)}`,
    ...validity(now, CA_LIFETIME_DAYS),
    signingAlgorithm: SIGNING,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}

/** Starts an hour ago, for clocks that differ; whole seconds, as the format holds. */
function validity(now: Date, days: number): { notBefore: Date; notAfter: Date } {
  const start = Math.floor(now.getTime() / 1000) * 1000;
  return { notBefore: new Date(start - 3_600_000), notAfter: new Date(start + days * DAY_MS) };
}

function usable(certificatePem: string, keyPem: string, keyFile: string, now: Date): boolean {
  const key = parsePrivateKey(keyPem, keyFile);
  try {
    const certificate = new NodeCertificate(certificatePem);
    const from = Date.parse(certificate.validFrom);
    const to = Date.parse(certificate.validTo);
    return (
      certificate.checkPrivateKey(key) && from <= now.getTime() && to - now.getTime() >= RENEW_BEFORE_DAYS * DAY_MS
    );
  } catch {
    return false;
  }
}

function sanExtension(names: string[]): Extension {
  return new SubjectAlternativeNameExtension(
    names.map((name) => ({ type: isIP(name) === 0 ? 'dns' : 'ip', value: name }) as const),
  );
}

function sanOfNames(names: string[]): string {
  return Buffer.from(sanExtension(names).value).toString('hex');
}

function sanOf(certificatePem: string): string | null {
  const extension = new X509Certificate(certificatePem).getExtension(SubjectAlternativeNameExtension);
  return extension === null ? null : Buffer.from(extension.value).toString('hex');
}

/** For people who look at the certificate; clients read the alternative names. At most 64 characters (RFC 5280). */
function commonNameOf(names: string[]): string {
  return names.find((name) => !name.startsWith('*') && isIP(name) === 0 && name.length <= 64) ?? 'tunnox';
}
