import { createRoute } from '@hono/zod-openapi';
import { pageQuerySchema } from '@tunnox/domain/api/common';
import { apiKeysSchema, createApiKeySchema, createdApiKeySchema } from '@tunnox/domain/api/users';
import { z } from 'zod';
import type { ApiKeyService } from '../../../services/api-key-service.ts';
import { createRouter } from '../../context.ts';
import { idSchema } from '../../id-schema.ts';
import { body, json, noContent, problems } from '../../responses.ts';

const params = z.object({ user_id: idSchema });
const keyParams = params.extend({ key_id: idSchema });

const createApiKey = createRoute({
  operationId: 'createApiKey',
  method: 'post',
  path: '/users/{user_id}/api-keys',
  tags: ['users'],
  summary: 'Make an API key; it is shown once',
  request: { params, body: body(createApiKeySchema, { name: 'ci', scopes: ['read'] }) },
  responses: { 201: json(createdApiKeySchema, 'The key'), ...problems('not_found', 'quota_exceeded') },
});

const listApiKeys = createRoute({
  operationId: 'listApiKeys',
  method: 'get',
  path: '/users/{user_id}/api-keys',
  tags: ['users'],
  summary: 'List the API keys that are not revoked',
  request: { params, query: pageQuerySchema },
  responses: { 200: json(apiKeysSchema, 'The keys, without their secrets'), ...problems('not_found') },
});

const deleteApiKey = createRoute({
  operationId: 'deleteApiKey',
  method: 'delete',
  path: '/users/{user_id}/api-keys/{key_id}',
  tags: ['users'],
  summary: 'Revoke an API key',
  request: { params: keyParams },
  responses: { 204: noContent, ...problems('not_found') },
});

/** API keys of users. */
export function apiKeysRoutes(apiKeys: ApiKeyService) {
  return createRouter()
    .openapi(createApiKey, async (c) =>
      c.json(await apiKeys.create(c.get('caller'), c.req.valid('param').user_id, c.req.valid('json')), 201),
    )
    .openapi(listApiKeys, async (c) => {
      const { user_id } = c.req.valid('param');
      return c.json(await apiKeys.list(c.get('caller'), user_id, c.req.valid('query')), 200);
    })
    .openapi(deleteApiKey, async (c) => {
      const { user_id, key_id } = c.req.valid('param');
      await apiKeys.revoke(c.get('caller'), user_id, key_id);
      return c.body(null, 204);
    });
}
