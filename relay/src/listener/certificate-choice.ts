import type { SecureContext } from 'node:tls';

/** Certificates that are asked for by one of their own names, `*.example.com` included. */
export interface CertificateSource {
  find(name: string): SecureContext | undefined;
}

/**
 * Which certificate a visitor gets. Files stand before those that the control plane delivers: who puts a file there
 * means it. An exact name stands before a wildcard, whatever their source; a wildcard is good for one label.
 */
export class CertificateChoice {
  readonly #files: CertificateSource & { readonly fallback: SecureContext | undefined };
  readonly #delivered: CertificateSource;

  constructor(
    files: CertificateSource & { readonly fallback: SecureContext | undefined },
    delivered: CertificateSource,
  ) {
    this.#files = files;
    this.#delivered = delivered;
  }

  /**
   * @param serverName from SNI; empty when there is none
   * @returns undefined: the handshake fails
   */
  contextFor(serverName: string): SecureContext | undefined {
    const name = serverName.toLowerCase();
    const dot = name.indexOf('.');
    const wildcard = dot === -1 ? '' : `*${name.slice(dot)}`;
    return (
      this.#files.find(name) ??
      this.#delivered.find(name) ??
      this.#files.find(wildcard) ??
      this.#delivered.find(wildcard) ??
      this.#files.fallback
    );
  }
}
