import { z } from 'zod';
import { momentSchema, relayGroupSchema } from './common.ts';

export const nodeSchema = z
  .object({
    node_id: z.string(),
    address: z.string().describe('Host under which visitors and agents reach it'),
    region: z.string(),
    relay_group: z.string(),
    version: z.string(),
    status: z.enum(['starting', 'online', 'draining', 'offline']),
    incarnation: z.string().describe('ULID of this run of the relay'),
    online_clients: z.int(),
    tunnels: z.int(),
    cpu_usage: z.number().describe('Of one processor: 0 to 1'),
    memory_usage: z.number().describe('Bytes'),
    bandwidth_usage: z.number().describe('Bytes a second'),
    public_from: z.int().describe('Ports of its pool, both ends included'),
    public_to: z.int(),
    last_heartbeat: momentSchema,
    started_at: momentSchema,
  })
  .meta({ id: 'Node' });

export const nodesSchema = z
  .object({ nodes: z.array(nodeSchema), total: z.int() })
  .meta({ id: 'Nodes', description: 'All that match: a cluster has a thousand at the most' });
export const nodesQuerySchema = z.object({
  status: nodeSchema.shape.status.optional(),
  group: relayGroupSchema.optional(),
  region: z.string().max(32).optional(),
});

export const nodeDetailsSchema = nodeSchema
  .extend({
    client_ids: z.array(z.int()).describe('Clients that are attached to it, the first 500'),
    clients_total: z.int(),
    uptime_s: z.int().describe('Seconds since its start; 0: it is offline'),
  })
  .meta({ id: 'NodeDetails' });

export const drainSchema = z.object({ deadline_s: z.int().min(0).max(3600).default(30) }).meta({ id: 'Drain' });
export const drainedSchema = z.object({ node_id: z.string(), status: z.literal('draining') }).meta({ id: 'Drained' });

export const joinTokenSchema = z
  .object({
    token_id: z.int(),
    name: z.string(),
    relay_group: z.string(),
    uses_left: z.int().nullable().describe('null: as often as one likes'),
    expires_at: momentSchema.nullable(),
    created_at: momentSchema,
  })
  .meta({ id: 'JoinToken' });

export const createJoinTokenSchema = z
  .object({
    name: z.string().max(64).default(''),
    relay_group: relayGroupSchema.default('default'),
    uses: z.int().min(1).max(1000).nullable().default(1).describe('null: as often as one likes'),
    expires_in_s: z.int().min(60).max(31_536_000).nullable().default(86_400),
  })
  .meta({ id: 'CreateJoinToken' });

export const createdJoinTokenSchema = joinTokenSchema
  .extend({ join_token: z.string() })
  .meta({ id: 'CreatedJoinToken', description: 'The only answer with the token in it' });
export const joinTokensSchema = z.object({ join_tokens: z.array(joinTokenSchema) }).meta({ id: 'JoinTokens' });

export type Node = z.infer<typeof nodeSchema>;
export type NodesQuery = z.infer<typeof nodesQuerySchema>;
export type NodeDetails = z.infer<typeof nodeDetailsSchema>;
export type JoinToken = z.infer<typeof joinTokenSchema>;
export type CreateJoinToken = z.input<typeof createJoinTokenSchema>;
export type CreatedJoinToken = z.infer<typeof createdJoinTokenSchema>;
