import { createRoute } from '@hono/zod-openapi';
import { pageQuerySchema } from '@tunnox/domain/api/common';
import {
  createNamespaceSchema,
  memberSchema,
  membersPageSchema,
  namespaceSchema,
  namespacesPageSchema,
  putMemberSchema,
  updateNamespaceSchema,
} from '@tunnox/domain/api/namespaces';
import { z } from 'zod';
import type { NamespaceService } from '../../../services/namespace-service.ts';
import { createRouter } from '../../context.ts';
import { ifMatch, ifVersionOf, withETag } from '../../etag.ts';
import { idSchema } from '../../id-schema.ts';
import { body, json, noContent, problems } from '../../responses.ts';

const params = z.object({ namespace_id: idSchema });
const memberParams = params.extend({ user_id: idSchema });
const tags = ['namespaces'];

const createNamespace = createRoute({
  operationId: 'createNamespace',
  method: 'post',
  path: '/namespaces',
  tags,
  summary: 'Make a team; what is in it counts on the quota of its owner',
  request: { body: body(createNamespaceSchema, { name: 'workshop' }) },
  responses: {
    201: json(namespaceSchema, 'The team', { headers: ['ETag'] }),
    ...problems('not_found', 'conflict', 'quota_exceeded'),
  },
});

const listNamespaces = createRoute({
  operationId: 'listNamespaces',
  method: 'get',
  path: '/namespaces',
  tags,
  summary: 'List the teams in which you are; operators: all',
  request: { query: pageQuerySchema.extend({ user_id: idSchema.optional().openapi({ description: 'Their owner' }) }) },
  responses: { 200: json(namespacesPageSchema, 'A page of teams, in the order of their ids') },
});

const getNamespace = createRoute({
  operationId: 'getNamespace',
  method: 'get',
  path: '/namespaces/{namespace_id}',
  tags,
  summary: 'Read a team',
  request: { params },
  responses: { 200: json(namespaceSchema, 'The team', { headers: ['ETag'] }), ...problems('not_found') },
});

const updateNamespace = createRoute({
  operationId: 'updateNamespace',
  method: 'put',
  path: '/namespaces/{namespace_id}',
  tags,
  summary: 'Rename a team (owner and admins)',
  request: { params, headers: ifMatch, body: body(updateNamespaceSchema, { name: 'workshop' }) },
  responses: {
    200: json(namespaceSchema, 'The team', { headers: ['ETag'] }),
    ...problems('not_found', 'conflict'),
  },
});

const deleteNamespace = createRoute({
  operationId: 'deleteNamespace',
  method: 'delete',
  path: '/namespaces/{namespace_id}',
  tags,
  summary: 'Delete a team that has no clients, mappings and domains (owner)',
  request: { params, headers: ifMatch },
  responses: { 204: noContent, ...problems('not_found', 'conflict') },
});

const listMembers = createRoute({
  operationId: 'listMembers',
  method: 'get',
  path: '/namespaces/{namespace_id}/members',
  tags,
  summary: 'List the members of a team',
  request: { params, query: pageQuerySchema },
  responses: { 200: json(membersPageSchema, 'A page of members, in the order of their ids'), ...problems('not_found') },
});

const putMember = createRoute({
  operationId: 'putMember',
  method: 'put',
  path: '/namespaces/{namespace_id}/members/{user_id}',
  tags,
  summary: 'Add a member to a team, or change its role (owner and admins)',
  request: { params: memberParams, body: body(putMemberSchema, { role: 'member' }) },
  responses: { 200: json(memberSchema, 'The member'), ...problems('not_found', 'conflict', 'quota_exceeded') },
});

const removeMember = createRoute({
  operationId: 'removeMember',
  method: 'delete',
  path: '/namespaces/{namespace_id}/members/{user_id}',
  tags,
  summary: 'Send a member away (owner and admins), or leave',
  request: { params: memberParams },
  responses: { 204: noContent, ...problems('not_found', 'conflict') },
});

/** Teams. */
export function namespacesRoutes(namespaces: NamespaceService) {
  return createRouter()
    .openapi(createNamespace, async (c) =>
      c.json(withETag(c, await namespaces.create(c.get('caller'), c.req.valid('json'))), 201),
    )
    .openapi(listNamespaces, async (c) => c.json(await namespaces.list(c.get('caller'), c.req.valid('query')), 200))
    .openapi(getNamespace, async (c) =>
      c.json(withETag(c, await namespaces.find(c.get('caller'), c.req.valid('param').namespace_id)), 200),
    )
    .openapi(updateNamespace, async (c) => {
      const { namespace_id } = c.req.valid('param');
      const changed = await namespaces.update(c.get('caller'), namespace_id, c.req.valid('json'), ifVersionOf(c));
      return c.json(withETag(c, changed), 200);
    })
    .openapi(deleteNamespace, async (c) => {
      await namespaces.remove(c.get('caller'), c.req.valid('param').namespace_id, ifVersionOf(c));
      return c.body(null, 204);
    })
    .openapi(listMembers, async (c) => {
      const { namespace_id } = c.req.valid('param');
      return c.json(await namespaces.members(c.get('caller'), namespace_id, c.req.valid('query')), 200);
    })
    .openapi(putMember, async (c) => {
      const { namespace_id, user_id } = c.req.valid('param');
      return c.json(await namespaces.putMember(c.get('caller'), namespace_id, user_id, c.req.valid('json')), 200);
    })
    .openapi(removeMember, async (c) => {
      const { namespace_id, user_id } = c.req.valid('param');
      await namespaces.removeMember(c.get('caller'), namespace_id, user_id);
      return c.body(null, 204);
    });
}
