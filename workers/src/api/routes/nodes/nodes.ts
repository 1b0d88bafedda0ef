import { createRoute } from '@hono/zod-openapi';
import {
  createdJoinTokenSchema,
  createJoinTokenSchema,
  drainedSchema,
  drainSchema,
  joinTokensSchema,
  nodeDetailsSchema,
  nodesQuerySchema,
  nodesSchema,
} from '@tunnox/domain/api/nodes';
import { z } from 'zod';
import type { NodeService } from '../../../services/node-service.ts';
import { createRouter } from '../../context.ts';
import { idSchema } from '../../id-schema.ts';
import { body, json, noContent, problems } from '../../responses.ts';

const params = z.object({ node_id: z.string().max(16) });

const listNodes = createRoute({
  operationId: 'listNodes',
  method: 'get',
  path: '/nodes',
  tags: ['nodes'],
  summary: 'List relays with their load (operators)',
  request: { query: nodesQuerySchema },
  responses: { 200: json(nodesSchema, 'The relays') },
});

const getNode = createRoute({
  operationId: 'getNode',
  method: 'get',
  path: '/nodes/{node_id}',
  tags: ['nodes'],
  summary: 'Read a relay with the clients that are attached to it (operators)',
  request: { params },
  responses: { 200: json(nodeDetailsSchema, 'The relay'), ...problems('not_found') },
});

const drainNode = createRoute({
  operationId: 'drainNode',
  method: 'post',
  path: '/nodes/{node_id}/drain',
  tags: ['nodes'],
  summary: 'Send a relay its agents away and take no more visitors (operators)',
  request: { params, body: body(drainSchema, { deadline_s: 30 }) },
  responses: { 202: json(drainedSchema, 'It was told'), ...problems('not_found', 'conflict') },
});

const deleteNode = createRoute({
  operationId: 'deleteNode',
  method: 'delete',
  path: '/nodes/{node_id}',
  tags: ['nodes'],
  summary: 'Remove a relay that is offline for good; its id is free then (operators)',
  request: { params },
  responses: { 204: noContent, ...problems('not_found', 'conflict') },
});

const createJoinToken = createRoute({
  operationId: 'createJoinToken',
  method: 'post',
  path: '/join-tokens',
  tags: ['nodes'],
  summary: 'Make a token with which relays join; it is shown once (operators)',
  request: { body: body(createJoinTokenSchema, { name: 'rack 4', relay_group: 'default', uses: 3 }) },
  responses: { 201: json(createdJoinTokenSchema, 'The token') },
});

const listJoinTokens = createRoute({
  operationId: 'listJoinTokens',
  method: 'get',
  path: '/join-tokens',
  tags: ['nodes'],
  summary: 'List the join tokens that may still be used (operators)',
  responses: { 200: json(joinTokensSchema, 'The tokens, without their secrets') },
});

const deleteJoinToken = createRoute({
  operationId: 'deleteJoinToken',
  method: 'delete',
  path: '/join-tokens/{token_id}',
  tags: ['nodes'],
  summary: 'Revoke a join token (operators)',
  request: { params: z.object({ token_id: idSchema }) },
  responses: { 204: noContent, ...problems('not_found') },
});

/** Relays and join tokens. */
export function nodesRoutes(nodes: NodeService) {
  return createRouter()
    .openapi(listNodes, async (c) => c.json(await nodes.list(c.get('caller'), c.req.valid('query')), 200))
    .openapi(getNode, async (c) => c.json(await nodes.find(c.get('caller'), c.req.valid('param').node_id), 200))
    .openapi(drainNode, async (c) => {
      const { deadline_s } = c.req.valid('json');
      return c.json(await nodes.drain(c.get('caller'), c.req.valid('param').node_id, deadline_s), 202);
    })
    .openapi(deleteNode, async (c) => {
      await nodes.remove(c.get('caller'), c.req.valid('param').node_id);
      return c.body(null, 204);
    })
    .openapi(createJoinToken, async (c) =>
      c.json(await nodes.createJoinToken(c.get('caller'), c.req.valid('json')), 201),
    )
    .openapi(listJoinTokens, async (c) => c.json(await nodes.listJoinTokens(c.get('caller')), 200))
    .openapi(deleteJoinToken, async (c) => {
      await nodes.revokeJoinToken(c.get('caller'), c.req.valid('param').token_id);
      return c.body(null, 204);
    });
}
