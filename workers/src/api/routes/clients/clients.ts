import { createRoute } from '@hono/zod-openapi';
import {
  claimClientSchema,
  claimedClientSchema,
  clientSchema,
  clientsPageSchema,
  createClientSchema,
  createdClientSchema,
  rotatedCodeSchema,
  updateClientSchema,
} from '@tunnox/domain/api/clients';
import { pageQuerySchema } from '@tunnox/domain/api/common';
import { z } from 'zod';
import type { ClaimService } from '../../../services/claim-service.ts';
import type { ClientService } from '../../../services/client-service.ts';
import { createRouter } from '../../context.ts';
import { ifMatch, ifVersionOf, withETag } from '../../etag.ts';
import { idSchema } from '../../id-schema.ts';
import { body, json, noContent, problems } from '../../responses.ts';

const params = z.object({ client_id: idSchema });
const filters = pageQuerySchema.extend({
  type: z.enum(['managed', 'anonymous']).optional(),
  /** `disabled` for whatever reason, `suspended` by an operator; who is online is no fact of the store. */
  status: z.enum(['active', 'disabled', 'suspended', 'claimed']).optional(),
  /** Part of the name, in any letter case. */
  q: z.string().min(1).max(64).optional(),
});

const createClient = createRoute({
  operationId: 'createClient',
  method: 'post',
  path: '/clients',
  tags: ['clients'],
  summary: 'Make a client; its authentication code is shown once',
  request: { body: body(createClientSchema, { client_name: 'laptop', client_desc: 'Under the desk' }) },
  responses: { 201: json(createdClientSchema, 'The client'), ...problems('not_found', 'quota_exceeded') },
});

const listClients = createRoute({
  operationId: 'listClients',
  method: 'get',
  path: '/clients',
  tags: ['clients'],
  summary: 'List clients',
  request: { query: filters.extend({ user_id: idSchema.optional(), namespace_id: idSchema.optional() }) },
  responses: { 200: json(clientsPageSchema, 'A page of clients, in the order of their ids') },
});

const listUserClients = createRoute({
  operationId: 'listUserClients',
  method: 'get',
  path: '/users/{user_id}/clients',
  tags: ['clients'],
  summary: 'List the clients of a user',
  request: { params: z.object({ user_id: idSchema }), query: filters },
  responses: { 200: json(clientsPageSchema, 'A page of clients, in the order of their ids'), ...problems('not_found') },
});

const getClient = createRoute({
  operationId: 'getClient',
  method: 'get',
  path: '/clients/{client_id}',
  tags: ['clients'],
  summary: 'Read a client',
  request: { params },
  responses: { 200: json(clientSchema, 'The client', { headers: ['ETag'] }), ...problems('not_found') },
});

const updateClient = createRoute({
  operationId: 'updateClient',
  method: 'put',
  path: '/clients/{client_id}',
  tags: ['clients'],
  summary: 'Rename, describe, enable or disable a client; operators suspend it and lift that',
  request: { params, headers: ifMatch, body: body(updateClientSchema, { client_name: 'laptop', enabled: true }) },
  responses: {
    200: json(clientSchema, 'The client', { headers: ['ETag'] }),
    ...problems('not_found', 'client_disabled', 'client_claimed'),
  },
});

const deleteClient = createRoute({
  operationId: 'deleteClient',
  method: 'delete',
  path: '/clients/{client_id}',
  tags: ['clients'],
  summary: 'Delete a client with all that only it serves',
  request: { params, headers: ifMatch },
  responses: { 204: noContent, ...problems('not_found') },
});

const disconnectClient = createRoute({
  operationId: 'disconnectClient',
  method: 'post',
  path: '/clients/{client_id}/disconnect',
  tags: ['clients'],
  summary: "Close a client's agent session; the agent comes back by itself",
  request: { params, headers: ifMatch },
  responses: { 204: noContent, ...problems('not_found', 'client_claimed') },
});

const claimClient = createRoute({
  operationId: 'claimClient',
  method: 'post',
  path: '/clients/claim',
  tags: ['clients'],
  summary: 'Make an anonymous client your own, with its names; its agent takes the new identity by itself',
  request: {
    body: body(claimClientSchema, {
      ...{ anonymous_client_id: 271828182, auth_code: 'Xk3vO0mQ9d2fWq8sT1uYb6NcR4pLzE7h', new_client_name: 'laptop' },
    }),
  },
  responses: {
    200: json(claimedClientSchema, 'The new client with its code, shown once'),
    ...problems('not_found', 'quota_exceeded', 'client_claimed', 'client_disabled'),
  },
});

const rotateCode = createRoute({
  operationId: 'rotateClientCode',
  method: 'post',
  path: '/clients/{client_id}/rotate-code',
  tags: ['clients'],
  summary: 'Give a client a new authentication code; the old one and its tickets are void',
  request: { params, headers: ifMatch },
  responses: { 200: json(rotatedCodeSchema, 'The new code, shown once'), ...problems('not_found', 'client_claimed') },
});

/** Clients. */
export function clientsRoutes(clients: ClientService, claims: ClaimService) {
  return createRouter()
    .openapi(claimClient, async (c) => c.json(await claims.claim(c.get('caller'), c.req.valid('json')), 200))
    .openapi(createClient, async (c) => c.json(await clients.create(c.get('caller'), c.req.valid('json')), 201))
    .openapi(listClients, async (c) => {
      const { user_id: userId, namespace_id: namespaceId, ...query } = c.req.valid('query');
      return c.json(await clients.list(c.get('caller'), { ...query, userId, namespaceId }), 200);
    })
    .openapi(listUserClients, async (c) => {
      const userId = c.req.valid('param').user_id;
      return c.json(await clients.listOfUser(c.get('caller'), userId, c.req.valid('query')), 200);
    })
    .openapi(getClient, async (c) =>
      c.json(withETag(c, await clients.find(c.get('caller'), c.req.valid('param').client_id)), 200),
    )
    .openapi(updateClient, async (c) => {
      const { client_id } = c.req.valid('param');
      const client = await clients.update(c.get('caller'), client_id, c.req.valid('json'), ifVersionOf(c));
      return c.json(withETag(c, client), 200);
    })
    .openapi(deleteClient, async (c) => {
      await clients.remove(c.get('caller'), c.req.valid('param').client_id, ifVersionOf(c));
      return c.body(null, 204);
    })
    .openapi(disconnectClient, async (c) => {
      await clients.disconnect(c.get('caller'), c.req.valid('param').client_id, ifVersionOf(c));
      return c.body(null, 204);
    })
    .openapi(rotateCode, async (c) =>
      c.json(await clients.rotateCode(c.get('caller'), c.req.valid('param').client_id, ifVersionOf(c)), 200),
    );
}
