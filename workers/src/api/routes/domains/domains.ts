import { createRoute } from '@hono/zod-openapi';
import { pageQuerySchema } from '@tunnox/domain/api/common';
import {
  availabilitySchema,
  createDomainSchema,
  deliveredDomainSchema,
  domainSchema,
  domainsPageSchema,
  updateDomainSchema,
  verifiedDomainSchema,
} from '@tunnox/domain/api/domains';
import { z } from 'zod';
import type { DomainProofService } from '../../../services/domain-proof-service.ts';
import type { DomainService } from '../../../services/domain-service.ts';
import { createRouter } from '../../context.ts';
import { ifMatch, ifVersionOf, withETag } from '../../etag.ts';
import { idSchema } from '../../id-schema.ts';
import { body, json, noContent, problems } from '../../responses.ts';

const params = z.object({ domain_id: idSchema });

const availability = createRoute({
  operationId: 'checkAvailability',
  method: 'get',
  path: '/domains/availability',
  tags: ['domains'],
  summary: 'Tell whether a name is free',
  request: { query: z.object({ name: z.string().max(254), base_domain: z.string().max(253).optional() }) },
  responses: { 200: json(availabilitySchema, 'Whether it is free, and if not, why') },
});

const createDomain = createRoute({
  operationId: 'createDomain',
  method: 'post',
  path: '/domains',
  tags: ['domains'],
  summary: 'Bind a chosen, a random or a custom name to a target',
  request: { body: body(createDomainSchema, { subdomain: 'shop', client_id: 600000001, target_port: 8080 }) },
  responses: {
    201: json(deliveredDomainSchema, 'The domain, and how far it has come at its agent', { headers: ['ETag'] }),
    ...problems('not_found', 'login_required', 'quota_exceeded', 'conflict', 'subdomain_taken', 'name_invalid'),
  },
});

const listDomains = createRoute({
  operationId: 'listDomains',
  method: 'get',
  path: '/domains',
  tags: ['domains'],
  summary: 'List domains',
  request: {
    query: pageQuerySchema.extend({
      ...{ user_id: idSchema.optional(), namespace_id: idSchema.optional(), client_id: idSchema.optional() },
    }),
  },
  responses: { 200: json(domainsPageSchema, 'A page of domains, in the order of their ids') },
});

const getDomain = createRoute({
  operationId: 'getDomain',
  method: 'get',
  path: '/domains/{domain_id}',
  tags: ['domains'],
  summary: 'Read a domain',
  request: { params },
  responses: { 200: json(domainSchema, 'The domain', { headers: ['ETag'] }), ...problems('not_found') },
});

const updateDomain = createRoute({
  operationId: 'updateDomain',
  method: 'put',
  path: '/domains/{domain_id}',
  tags: ['domains'],
  summary: 'Change a domain',
  request: {
    params,
    headers: ifMatch,
    body: body(updateDomainSchema, { target_port: 3000, host_header: 'localhost:3000' }),
  },
  responses: {
    200: json(deliveredDomainSchema, 'The domain, and how far the change has come', { headers: ['ETag'] }),
    ...problems('not_found', 'conflict', 'quota_exceeded'),
  },
});

const deleteDomain = createRoute({
  operationId: 'deleteDomain',
  method: 'delete',
  path: '/domains/{domain_id}',
  tags: ['domains'],
  summary: 'Give a name up',
  request: { params, headers: ifMatch },
  responses: { 204: noContent, ...problems('not_found') },
});

const verifyDomain = createRoute({
  operationId: 'verifyDomain',
  method: 'post',
  path: '/domains/{domain_id}/verify',
  tags: ['domains'],
  summary: 'Look now for the DNS record that proves a custom domain',
  request: { params },
  responses: {
    200: json(verifiedDomainSchema, 'The domain, verified or still pending, and what was found', { headers: ['ETag'] }),
    ...problems('not_found', 'subdomain_taken'),
  },
});

/** HTTP domains. */
export function domainsRoutes(domains: DomainService, proofs: DomainProofService) {
  return createRouter()
    .openapi(verifyDomain, async (c) =>
      c.json(withETag(c, await proofs.verify(c.get('caller'), c.req.valid('param').domain_id)), 200),
    )
    .openapi(availability, async (c) => {
      const { name, base_domain } = c.req.valid('query');
      return c.json(await domains.availability(c.get('caller'), name, base_domain), 200);
    })
    .openapi(createDomain, async (c) =>
      c.json(withETag(c, await domains.create(c.get('caller'), c.req.valid('json'))), 201),
    )
    .openapi(listDomains, async (c) => {
      const { user_id: userId, namespace_id: namespaceId, client_id: clientId, ...query } = c.req.valid('query');
      return c.json(await domains.list(c.get('caller'), { ...query, userId, namespaceId, clientId }), 200);
    })
    .openapi(getDomain, async (c) =>
      c.json(withETag(c, await domains.find(c.get('caller'), c.req.valid('param').domain_id)), 200),
    )
    .openapi(updateDomain, async (c) => {
      const { domain_id } = c.req.valid('param');
      const domain = await domains.update(c.get('caller'), domain_id, c.req.valid('json'), ifVersionOf(c));
      return c.json(withETag(c, domain), 200);
    })
    .openapi(deleteDomain, async (c) => {
      await domains.remove(c.get('caller'), c.req.valid('param').domain_id, ifVersionOf(c));
      return c.body(null, 204);
    });
}
