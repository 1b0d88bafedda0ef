import { X509Certificate } from 'node:crypto';
import { unwatchFile, watchFile } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { Logger } from '@tunnox/observability/logger';
import type { CertificateSource } from './certificate-choice.ts';
import { dnsNamesOf } from './dns-names-of.ts';

export interface CertificateFiles {
  /** PEM: the certificate and what leads to its authority. */
  certFile: string;
  /** PEM. */
  keyFile: string;
}

/** A file that cannot be used; the message names it. */
export class CertificateError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CertificateError';
  }
}

interface Loaded {
  context: SecureContext;
  names: string[];
}

/** Works through symbolic links and network file systems, where notifications do not. */
const WATCH_MS = 5000;

/** Certificates from files, loaded again when a file has changed. */
export class CertificateStore implements CertificateSource {
  /** A changed file was looked at, with or without success. */
  onChange: () => void = () => {};

  readonly #watchMs: number;
  readonly #files: readonly CertificateFiles[];
  readonly #log: Logger;
  readonly #watched: [path: string, listener: () => void][] = [];
  #loaded: Loaded[] = [];
  #byName = new Map<string, SecureContext>();

  /** @param files the first is for visitors who name none, or a name that no certificate has */
  constructor(files: readonly CertificateFiles[], log: Logger, options = { watchMs: WATCH_MS }) {
    this.#watchMs = options.watchMs;
    this.#files = files;
    this.#log = log;
  }

  /** @throws {CertificateError} naming the file that cannot be used */
  async start(): Promise<void> {
    if (this.#watched.length > 0) return;
    this.#loaded = await Promise.all(this.#files.map((files) => load(files)));
    this.#index();
    for (const [index, files] of this.#files.entries()) {
      for (const path of [files.certFile, files.keyFile]) {
        const listener = (): void => void this.#reload(index, files);
        watchFile(path, { interval: this.#watchMs, persistent: false }, listener);
        this.#watched.push([path, listener]);
      }
    }
  }

  stop(): void {
    for (const [path, listener] of this.#watched.splice(0)) unwatchFile(path, listener);
  }

  /** For visitors who name nobody that is known; undefined: there are no files. */
  get fallback(): SecureContext | undefined {
    return this.#loaded[0]?.context;
  }

  find(name: string): SecureContext | undefined {
    return this.#byName.get(name);
  }

  async #reload(index: number, files: CertificateFiles): Promise<void> {
    try {
      this.#loaded[index] = await load(files);
      this.#index();
      this.#log.info({ file: files.certFile, names: this.#loaded[index].names }, 'A certificate was loaded again');
    } catch (error) {
      // The other half of the pair may still be on its way: its change comes here again.
      this.#log.error(
        { file: files.certFile, reason: String(error) },
        'A changed certificate cannot be used: the old one stays',
      );
    }
    this.onChange();
  }

  #index(): void {
    this.#byName = new Map();
    for (const { names, context } of this.#loaded.toReversed()) {
      for (const name of names) this.#byName.set(name, context);
    }
  }
}

async function load({ certFile, keyFile }: CertificateFiles): Promise<Loaded> {
  const [cert, key] = await Promise.all([read(certFile), read(keyFile)]);
  try {
    const context = createSecureContext({ cert, key, minVersion: 'TLSv1.2' });
    return { context, names: dnsNamesOf(new X509Certificate(cert)) };
  } catch (cause) {
    throw new CertificateError(`Cannot use the certificate '${certFile}' with the key '${keyFile}': ${String(cause)}`, {
      cause,
    });
  }
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new CertificateError(`Cannot read '${path}': ${String(cause)}`, { cause });
  }
}
