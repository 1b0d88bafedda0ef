import { createRoute } from '@hono/zod-openapi';
import { certificateSchema, certificatesPageSchema, certificatesQuerySchema } from '@tunnox/domain/api/certificates';
import { z } from 'zod';
import type { CertificateService } from '../../../services/certificate-service.ts';
import { createRouter } from '../../context.ts';
import { idSchema } from '../../id-schema.ts';
import { json, problems } from '../../responses.ts';

const params = z.object({ certificate_id: idSchema });
const tags = ['certificates'];

const listCertificates = createRoute({
  operationId: 'listCertificates',
  method: 'get',
  path: '/certificates',
  tags,
  summary: 'List certificates of base domains and custom domains',
  request: { query: certificatesQuerySchema },
  responses: { 200: json(certificatesPageSchema, 'A page of certificates, in the order of their ids') },
});

const getCertificate = createRoute({
  operationId: 'getCertificate',
  method: 'get',
  path: '/certificates/{certificate_id}',
  tags,
  summary: 'Read a certificate: its state, and why there is none yet',
  request: { params },
  responses: { 200: json(certificateSchema, 'The certificate'), ...problems('not_found') },
});

const renewCertificate = createRoute({
  operationId: 'renewCertificate',
  method: 'post',
  path: '/certificates/{certificate_id}/renew',
  tags,
  summary: 'Obtain a certificate anew, now or as soon as the limits of the authority allow it',
  request: { params },
  responses: { 200: json(certificateSchema, 'The certificate'), ...problems('not_found', 'conflict') },
});

/** Certificates; they come and go with base domains and custom domains. */
export function certificatesRoutes(certificates: CertificateService) {
  return createRouter()
    .openapi(listCertificates, async (c) => c.json(await certificates.list(c.get('caller'), c.req.valid('query')), 200))
    .openapi(getCertificate, async (c) =>
      c.json(await certificates.find(c.get('caller'), c.req.valid('param').certificate_id), 200),
    )
    .openapi(renewCertificate, async (c) =>
      c.json(await certificates.renew(c.get('caller'), c.req.valid('param').certificate_id), 200),
    );
}
