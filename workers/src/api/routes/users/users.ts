import { createRoute } from '@hono/zod-openapi';
import { pageQuerySchema } from '@tunnox/domain/api/common';
import {
  createUserSchema,
  meSchema,
  quotaSetSchema,
  quotaUseSchema,
  setQuotaSchema,
  updateUserSchema,
  userSchema,
  usersPageSchema,
  userStatusSchema,
} from '@tunnox/domain/api/users';
import { z } from 'zod';
import type { UserService } from '../../../services/user-service.ts';
import { createRouter } from '../../context.ts';
import { ifMatch, ifVersionOf, withETag } from '../../etag.ts';
import { idSchema } from '../../id-schema.ts';
import { body, json, noContent, problems } from '../../responses.ts';

const params = z.object({ user_id: idSchema });

const createUser = createRoute({
  operationId: 'createUser',
  method: 'post',
  path: '/users',
  tags: ['users'],
  summary: 'Make a user (operators)',
  request: {
    body: body(createUserSchema, {
      username: 'ada',
      email: 'ada@example.com',
      password: 'correct horse battery',
      plan: 'pro',
    }),
  },
  responses: {
    201: json(userSchema, 'The user, with its quota', { headers: ['ETag'] }),
    ...problems('username_taken', 'email_taken'),
  },
});

const listUsers = createRoute({
  operationId: 'listUsers',
  method: 'get',
  path: '/users',
  tags: ['users'],
  summary: 'List users (operators)',
  request: { query: pageQuerySchema.extend({ status: userStatusSchema.optional() }) },
  responses: { 200: json(usersPageSchema, 'A page of users, in the order of their ids') },
});

const getUser = createRoute({
  operationId: 'getUser',
  method: 'get',
  path: '/users/{user_id}',
  tags: ['users'],
  summary: 'Read a user',
  request: { params },
  responses: { 200: json(userSchema, 'The user', { headers: ['ETag'] }), ...problems('not_found') },
});

const updateUser = createRoute({
  operationId: 'updateUser',
  method: 'put',
  path: '/users/{user_id}',
  tags: ['users'],
  summary: 'Change a user; plan, status and password for operators',
  request: { params, headers: ifMatch, body: body(updateUserSchema, { plan: 'pro', status: 'active' }) },
  responses: {
    200: json(userSchema, 'The user', { headers: ['ETag'] }),
    ...problems('not_found', 'username_taken', 'email_taken'),
  },
});

const deleteUser = createRoute({
  operationId: 'deleteUser',
  method: 'delete',
  path: '/users/{user_id}',
  tags: ['users'],
  summary: 'Delete a user with all that it has (operators)',
  request: { params, headers: ifMatch },
  responses: { 204: noContent, ...problems('not_found') },
});

const getQuota = createRoute({
  operationId: 'getQuota',
  method: 'get',
  path: '/users/{user_id}/quota',
  tags: ['quotas'],
  summary: "Read a user's limits and what is used of them",
  request: { params },
  responses: { 200: json(quotaUseSchema, 'Limits and use'), ...problems('not_found') },
});

const setQuota = createRoute({
  operationId: 'setQuota',
  method: 'post',
  path: '/users/{user_id}/quota',
  tags: ['quotas'],
  summary: "Set any of a user's limits (operators)",
  request: { params, headers: ifMatch, body: body(setQuotaSchema, { max_clients: 20, monthly_traffic_limit: null }) },
  responses: { 200: json(quotaSetSchema, 'The limits in force'), ...problems('not_found') },
});

const resetQuota = createRoute({
  operationId: 'resetQuota',
  method: 'delete',
  path: '/users/{user_id}/quota',
  tags: ['quotas'],
  summary: "Let a user's limits be the plan's again (operators)",
  request: { params, headers: ifMatch },
  responses: { 200: json(quotaSetSchema, 'The limits in force'), ...problems('not_found') },
});

const getMe = createRoute({
  operationId: 'getMe',
  method: 'get',
  path: '/me',
  tags: ['auth'],
  summary: 'Tell whose credential this is',
  responses: { 200: json(meSchema, 'The caller') },
});

/** Users, quotas, and the caller itself. */
export function usersRoutes(users: UserService) {
  return createRouter()
    .openapi(createUser, async (c) =>
      c.json(withETag(c, await users.create(c.get('caller'), c.req.valid('json'))), 201),
    )
    .openapi(listUsers, async (c) => c.json(await users.list(c.get('caller'), c.req.valid('query')), 200))
    .openapi(getUser, async (c) =>
      c.json(withETag(c, await users.find(c.get('caller'), c.req.valid('param').user_id)), 200),
    )
    .openapi(updateUser, async (c) => {
      const { user_id } = c.req.valid('param');
      const user = await users.update(c.get('caller'), user_id, c.req.valid('json'), ifVersionOf(c));
      return c.json(withETag(c, user), 200);
    })
    .openapi(deleteUser, async (c) => {
      await users.remove(c.get('caller'), c.req.valid('param').user_id, ifVersionOf(c));
      return c.body(null, 204);
    })
    .openapi(getQuota, async (c) => c.json(await users.quota(c.get('caller'), c.req.valid('param').user_id), 200))
    .openapi(setQuota, async (c) => {
      const { user_id } = c.req.valid('param');
      return c.json(await users.setQuota(c.get('caller'), user_id, c.req.valid('json'), ifVersionOf(c)), 200);
    })
    .openapi(resetQuota, async (c) =>
      c.json(await users.resetQuota(c.get('caller'), c.req.valid('param').user_id, ifVersionOf(c)), 200),
    )
    .openapi(getMe, async (c) => c.json(await users.me(c.get('caller')), 200));
}
