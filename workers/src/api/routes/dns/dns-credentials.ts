import { createRoute } from '@hono/zod-openapi';
import { pageQuerySchema } from '@tunnox/domain/api/common';
import {
  createDnsCredentialSchema,
  dnsCredentialSchema,
  dnsCredentialsPageSchema,
  updateDnsCredentialSchema,
} from '@tunnox/domain/api/dns';
import { z } from 'zod';
import type { DnsCredentialService } from '../../../services/dns-credential-service.ts';
import { createRouter } from '../../context.ts';
import { ifMatch, ifVersionOf, withETag } from '../../etag.ts';
import { idSchema } from '../../id-schema.ts';
import { body, json, noContent, problems } from '../../responses.ts';

const params = z.object({ credential_id: idSchema });
const tags = ['dns'];

const createCredential = createRoute({
  operationId: 'createDnsCredential',
  method: 'post',
  path: '/dns/credentials',
  tags,
  summary: "Store a DNS provider's token; no answer has it in it",
  request: {
    body: body(createDnsCredentialSchema, {
      name: 'cloudflare',
      provider: 'cloudflare',
      token: 'a-token-of-40-characters',
    }),
  },
  responses: { 201: json(dnsCredentialSchema, 'The credential', { headers: ['ETag'] }) },
});

const listCredentials = createRoute({
  operationId: 'listDnsCredentials',
  method: 'get',
  path: '/dns/credentials',
  tags,
  summary: 'List DNS credentials',
  request: { query: pageQuerySchema },
  responses: { 200: json(dnsCredentialsPageSchema, 'A page of credentials, in the order of their ids') },
});

const getCredential = createRoute({
  operationId: 'getDnsCredential',
  method: 'get',
  path: '/dns/credentials/{credential_id}',
  tags,
  summary: 'Read a DNS credential',
  request: { params },
  responses: { 200: json(dnsCredentialSchema, 'The credential', { headers: ['ETag'] }), ...problems('not_found') },
});

const updateCredential = createRoute({
  operationId: 'updateDnsCredential',
  method: 'put',
  path: '/dns/credentials/{credential_id}',
  tags,
  summary: 'Rename a DNS credential, or replace its token',
  request: {
    params,
    headers: ifMatch,
    body: body(updateDnsCredentialSchema, { token: 'another-token-of-40-characters' }),
  },
  responses: { 200: json(dnsCredentialSchema, 'The credential', { headers: ['ETag'] }), ...problems('not_found') },
});

const deleteCredential = createRoute({
  operationId: 'deleteDnsCredential',
  method: 'delete',
  path: '/dns/credentials/{credential_id}',
  tags,
  summary: 'Delete a DNS credential that no zone needs',
  request: { params, headers: ifMatch },
  responses: { 204: noContent, ...problems('not_found', 'conflict') },
});

/** Tokens of DNS providers. */
export function dnsCredentialsRoutes(credentials: DnsCredentialService) {
  return createRouter()
    .openapi(createCredential, async (c) =>
      c.json(withETag(c, await credentials.create(c.get('caller'), c.req.valid('json'))), 201),
    )
    .openapi(listCredentials, async (c) => c.json(await credentials.list(c.get('caller'), c.req.valid('query')), 200))
    .openapi(getCredential, async (c) =>
      c.json(withETag(c, await credentials.find(c.get('caller'), c.req.valid('param').credential_id)), 200),
    )
    .openapi(updateCredential, async (c) => {
      const { credential_id } = c.req.valid('param');
      const changed = await credentials.update(c.get('caller'), credential_id, c.req.valid('json'), ifVersionOf(c));
      return c.json(withETag(c, changed), 200);
    })
    .openapi(deleteCredential, async (c) => {
      await credentials.remove(c.get('caller'), c.req.valid('param').credential_id, ifVersionOf(c));
      return c.body(null, 204);
    });
}
