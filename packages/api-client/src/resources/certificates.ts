import {
  type Certificate,
  certificateSchema,
  type CertificatesQuery,
  certificatesPageSchema,
} from '@tunnox/domain/api/certificates';
import type { Page } from '@tunnox/domain/api/common';
import { type CallOptions, type ChangeOptions, type ListQuery, Resource, V1 } from '../resource.ts';

/** Certificates that relays serve, or that are being obtained. Keys are in no answer. */
export class Certificates extends Resource {
  list(
    query: ListQuery & Pick<CertificatesQuery, 'state' | 'domain_id' | 'name'> = {},
    options?: CallOptions,
  ): Promise<Page<'certificates', Certificate>> {
    return this.read(`${V1}/certificates`, certificatesPageSchema, query, options);
  }

  get(certificateId: number, options?: CallOptions): Promise<Certificate> {
    return this.read(`${V1}/certificates/${certificateId}`, certificateSchema, {}, options);
  }

  /** Begins the next order now. @throws {ApiError} `conflict` while one is under way */
  renew(certificateId: number, options?: ChangeOptions): Promise<Certificate> {
    return this.post(`${V1}/certificates/${certificateId}/renew`, {}, certificateSchema, options);
  }
}
