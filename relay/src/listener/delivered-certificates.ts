import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { DeliveredCertificate } from '@tunnox/domain/relay-api';
import type { Logger } from '@tunnox/observability/logger';
import type { CertificateSource } from './certificate-choice.ts';
import { dnsNamesOf } from './dns-names-of.ts';

/** Where certificates outlive the process. */
export interface CertificateShelf {
  load(): Promise<DeliveredCertificate[]>;
  put(certificate: DeliveredCertificate): Promise<void>;
  remove(certificateId: number): Promise<void>;
}

interface Held {
  certificate: DeliveredCertificate & { chain: string; key: string };
  names: string[];
  notAfterMs: number;
}

export interface DeliveredSnapshot {
  loaded: number;
  /** Deliveries that could not be used. */
  refused: number;
  /** The certificates that end first, by a name of each. */
  ending: { name: string; notAfterMs: number }[];
}

/** A context takes some ten KiB: those of names that somebody visits are kept. */
const CONTEXTS_MAX = 2000;
/** More are no help to who looks at metrics. */
const ENDING_MAX = 50;

/**
 * Certificates that the control plane has delivered, by name. They are changed as a whole between two handshakes; what
 * is under way goes on with what it began with.
 */
export class DeliveredCertificates implements CertificateSource {
  /** There is something to serve HTTPS with: told after each delivery, so that what has failed is tried again. */
  onServable: () => void = () => {};

  readonly #shelf: CertificateShelf;
  readonly #log: Logger;
  readonly #held = new Map<number, Held>();
  readonly #byName = new Map<string, Held[]>();
  readonly #contexts = new Map<number, SecureContext>();
  #refused = 0;

  constructor(shelf: CertificateShelf, log: Logger) {
    this.#shelf = shelf;
    this.#log = log;
  }

  get size(): number {
    return this.#held.size;
  }

  /** Takes what an earlier process was given, so that HTTPS is served while the control plane is away. */
  async load(): Promise<void> {
    for (const certificate of await this.#shelf.load()) this.#take(certificate);
    if (this.#held.size > 0)
      this.#log.info({ certificates: this.#held.size }, 'Certificates of an earlier run are here');
  }

  find(name: string): SecureContext | undefined {
    const held = this.#byName.get(name)?.[0];
    if (held === undefined) return undefined;
    const { certificate_id: id, chain, key } = held.certificate;
    const known = this.#contexts.get(id);
    if (known !== undefined) return known;
    const context = createSecureContext({ cert: chain, key, minVersion: 'TLSv1.2' });
    this.#contexts.set(id, context);
    // The oldest one: if somebody visits it, it is made again, which takes a millisecond.
    const [oldest] = this.#contexts.keys();
    if (this.#contexts.size > CONTEXTS_MAX && oldest !== undefined) this.#contexts.delete(oldest);
    return context;
  }

  /** Puts certificates in the place of their older versions. What cannot be used is left out: the older one stays. */
  async apply(certificates: readonly DeliveredCertificate[]): Promise<void> {
    for (const certificate of certificates) {
      const { certificate_id: id, version } = certificate;
      if ((this.#held.get(id)?.certificate.version ?? -1) >= version) continue;
      if (certificate.chain === null) await this.#drop(id);
      else if (this.#take(certificate)) await this.#keep(certificate);
    }
    if (this.#held.size > 0) this.onServable();
  }

  /** Forgets those that the control plane has not named among all of its own. */
  async retain(ids: ReadonlySet<number>): Promise<void> {
    for (const id of [...this.#held.keys()]) if (!ids.has(id)) await this.#drop(id);
  }

  snapshot(): DeliveredSnapshot {
    const ending = [...this.#held.values()]
      .toSorted((a, b) => a.notAfterMs - b.notAfterMs)
      .slice(0, ENDING_MAX)
      .map(({ names, notAfterMs }) => ({ name: names[0] ?? '', notAfterMs }));
    return { loaded: this.#held.size, refused: this.#refused, ending };
  }

  /** @returns false: it cannot be used */
  #take(certificate: DeliveredCertificate): boolean {
    const { certificate_id: id, chain, key } = certificate;
    try {
      if (chain === null || key === null) throw new Error('its chain or its key is missing');
      const leaf = new X509Certificate(chain);
      if (!leaf.checkPrivateKey(createPrivateKey(key))) throw new Error('its key is for another certificate');
      const names = dnsNamesOf(leaf);
      if (names.length === 0) throw new Error('it has no names');
      this.#forget(id);
      const held = { certificate: { ...certificate, chain, key }, names, notAfterMs: Date.parse(leaf.validTo) };
      this.#held.set(id, held);
      for (const name of names) {
        // Of several for one name, the one that was made last.
        const others = this.#byName.get(name) ?? [];
        this.#byName.set(
          name,
          [...others, held].toSorted((a, b) => b.certificate.version - a.certificate.version),
        );
      }
      return true;
    } catch (error) {
      this.#refused += 1;
      this.#log.error({ certificate_id: id, reason: String(error) }, 'A delivered certificate cannot be used');
      return false;
    }
  }

  #forget(id: number): void {
    const held = this.#held.get(id);
    if (held === undefined) return;
    this.#held.delete(id);
    this.#contexts.delete(id);
    for (const name of held.names) {
      const left = (this.#byName.get(name) ?? []).filter((one) => one !== held);
      if (left.length === 0) this.#byName.delete(name);
      else this.#byName.set(name, left);
    }
  }

  async #drop(id: number): Promise<void> {
    this.#forget(id);
    await this.#onShelf(() => this.#shelf.remove(id));
  }

  async #keep(certificate: DeliveredCertificate): Promise<void> {
    await this.#onShelf(() => this.#shelf.put(certificate));
  }

  /** A full disk is no reason not to serve what is in memory. */
  async #onShelf(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#log.error({ err: error }, 'Certificates cannot be kept on disk: after a restart they have to be fetched');
    }
  }
}
