import type { Certificate } from '@tunnox/domain/api/certificates';
import type { AuditEntry } from './audit.ts';
import type { PageRequest, PageRows } from './page.ts';
import type { Tenant } from './principal.ts';

/** As stored: where a proof may be left to us depends on the settings. */
export type CertificateRow = Omit<Certificate, 'delegation'> & { namespace_id: number | null };

export interface CertificateFilter {
  state?: Certificate['state'] | undefined;
  domain_id?: number | undefined;
  /** One of the names. */
  name?: string | undefined;
}

/** What a relay is given. */
export interface StoredCertificate {
  certificateId: number;
  version: number;
  names: string[];
  /** Both null: it is gone. */
  chain: string | null;
  keyEncrypted: string | null;
  /** It was written so long ago that no transaction can still write one of a lower version. */
  settled: boolean;
}

export interface CertificateRepository {
  find(certificateId: number, tenant: Tenant): Promise<CertificateRow | null>;
  list(filter: CertificateFilter, tenant: Tenant, page: PageRequest): Promise<PageRows<CertificateRow>>;
  /** Lets the next order begin now. @returns false: it is gone. */
  renew(certificateId: number, audit: AuditEntry): Promise<boolean>;
  /** What relays serve, in the order of its versions. */
  since(version: number, limit: number): Promise<StoredCertificate[]>;
  /** What is to be answered for a token at a host; null: nothing. */
  keyAuthorization(token: string, host: string): Promise<string | null>;
}

/** Wakes the work on certificates. What fails is made good by the sweep. */
export interface CertificateWaker {
  wake(): Promise<void>;
}
