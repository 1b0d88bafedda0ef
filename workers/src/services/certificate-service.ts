import type { Certificate, CertificatesQuery } from '@tunnox/domain/api/certificates';
import type { Page } from '@tunnox/domain/api/common';
import type { AcmeChallengeAnswer, CertificatesAnswer } from '@tunnox/domain/relay-api';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { acmeDelegation } from './acme-delegation.ts';
import { auditOf } from './audit.ts';
import type {
  CertificateFilter,
  CertificateRepository,
  CertificateRow,
  CertificateWaker,
  StoredCertificate,
} from './certificate-ports.ts';
import type { Log } from './node-ports.ts';
import { toPage, toPageRequest } from './page.ts';
import { type Caller, notFound, refuseClients, requireWrite, tenantOf } from './principal.ts';

export interface CertificateServiceDeps {
  certificates: CertificateRepository;
  waker: CertificateWaker;
  /** A stored private key in PEM. */
  keyPem: (keyEncrypted: string) => Promise<string>;
  log: Log;
}

export interface CertificateServiceOptions {
  baseDomains: readonly [string, ...string[]];
  /** Whether certificates are obtained at all. */
  hasAuthority: boolean;
}

/** Certificates and keys of one answer: half a megabyte at the most. */
const DELIVERED_MAX = 50;

/** Certificates: what there is, when it is renewed, and what relays are given of it. */
export class CertificateService {
  readonly #deps: CertificateServiceDeps;
  readonly #options: CertificateServiceOptions;

  constructor(deps: CertificateServiceDeps, options: CertificateServiceOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  async list(caller: Caller, query: CertificatesQuery): Promise<Page<'certificates', Certificate>> {
    refuseClients(caller);
    const { state, domain_id, name } = query;
    const filter: CertificateFilter = { state, domain_id, name };
    const page = await this.#deps.certificates.list(filter, tenantOf(caller.principal), toPageRequest(query));
    const items = page.rows.map((row) => this.#show(row));
    return toPage('certificates', query, page, items, (row) => row.certificate_id);
  }

  async find(caller: Caller, certificateId: number): Promise<Certificate> {
    return this.#show(await this.#load(caller, certificateId));
  }

  /**
   * Begins a new order as soon as the limits of the authority allow it.
   *
   * @throws {TunnoxError} `conflict` when no authority is configured
   */
  async renew(caller: Caller, certificateId: number): Promise<Certificate> {
    const row = await this.#load(caller, certificateId);
    requireWrite(caller, row);
    if (!this.#options.hasAuthority) {
      throw new TunnoxError('conflict', 'No certificate authority is configured: ACME_DIRECTORY_URL is not set');
    }
    const audit = auditOf(caller, 'certificate.renew', { after: { names: row.names } });
    if (!(await this.#deps.certificates.renew(certificateId, audit))) throw notFound('certificate', certificateId);
    await this.#deps.waker.wake();
    return await this.find(caller, certificateId);
  }

  /** What has changed since a version. */
  async deliver(since: number): Promise<CertificatesAnswer> {
    const rows = await this.#deps.certificates.since(since, DELIVERED_MAX);
    const more = rows.length === DELIVERED_MAX;
    const last = rows.at(-1);
    // What was written just now may have been overtaken by one of a lower version: it is sent once more next time.
    const settled = rows.findLast((row) => row.settled);
    const certificates = await Promise.all(rows.map((row) => this.#deliver(row)));
    return { version: (more ? last : settled)?.version ?? since, more, certificates };
  }

  async answerChallenge(token: string, host: string): Promise<AcmeChallengeAnswer> {
    return { key_authorization: await this.#deps.certificates.keyAuthorization(token, host) };
  }

  async #deliver(row: StoredCertificate): Promise<CertificatesAnswer['certificates'][number]> {
    const { certificateId: certificate_id, version, names, chain, keyEncrypted } = row;
    if (keyEncrypted === null) return { certificate_id, version, names, chain: null, key: null };
    try {
      return { certificate_id, version, names, chain, key: await this.#deps.keyPem(keyEncrypted) };
    } catch (error) {
      // Of a key that this server was not given: relays keep what they have of it, and get all others.
      this.#deps.log.error({ certificate_id, err: String(error) }, 'The key of a certificate cannot be decrypted');
      return { certificate_id, version, names, chain, key: null };
    }
  }

  async #load(caller: Caller, certificateId: number): Promise<CertificateRow> {
    refuseClients(caller);
    const row = await this.#deps.certificates.find(certificateId, tenantOf(caller.principal));
    if (row === null) throw notFound('certificate', certificateId);
    return row;
  }

  #show({ namespace_id: _namespaceId, ...row }: CertificateRow): Certificate {
    const [name = ''] = row.names;
    const delegation = row.base_domain === null ? acmeDelegation(name, this.#options.baseDomains[0]) : null;
    return { ...row, delegation };
  }
}
