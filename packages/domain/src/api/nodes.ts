import { z } from 'zod';
import { momentSchema, relayGroupSchema } from './common.ts';

export const nodeSchema = z
  .object({
    node_id: z.string(),
    /** Host under which visitors and agents reach it. */
    address: z.string(),
    region: z.string(),
    relay_group: z.string(),
    version: z.string(),
    status: z.enum(['starting', 'online', 'draining', 'offline']),
    /** ULID of this run of the relay. */
    incarnation: z.string(),
    online_clients: z.int(),
    tunnels: z.int(),
    /** Of one processor: 0 to 1. */
    cpu_usage: z.number(),
    /** Bytes. */
    memory_usage: z.number(),
    /** Bytes a second. */
    bandwidth_usage: z.number(),
    /** Ports of its pool, both ends included. */
    public_from: z.int(),
    public_to: z.int(),
    last_heartbeat: momentSchema,
    started_at: momentSchema,
  })
  .meta({ id: 'Node' });

/** All that match: a cluster has a thousand at the most. */
export const nodesSchema = z.object({ nodes: z.array(nodeSchema), total: z.int() });
export const nodesQuerySchema = z.object({
  status: nodeSchema.shape.status.optional(),
  group: relayGroupSchema.optional(),
  region: z.string().max(32).optional(),
});

export const nodeDetailsSchema = nodeSchema
  .extend({
    /** Clients that are attached to it, the first 500. */
    client_ids: z.array(z.int()),
    clients_total: z.int(),
    /** Seconds since its start; 0: it is offline. */
    uptime_s: z.int(),
  })
  .meta({ id: 'NodeDetails' });

export const drainSchema = z.object({ deadline_s: z.int().min(0).max(3600).default(30) }).meta({ id: 'Drain' });
export const drainedSchema = z.object({ node_id: z.string(), status: z.literal('draining') });

export const joinTokenSchema = z
  .object({
    token_id: z.int(),
    name: z.string(),
    relay_group: z.string(),
    /** null: as often as one likes. */
    uses_left: z.int().nullable(),
    expires_at: momentSchema.nullable(),
    created_at: momentSchema,
  })
  .meta({ id: 'JoinToken' });

export const createJoinTokenSchema = z
  .object({
    name: z.string().max(64).default(''),
    relay_group: relayGroupSchema.default('default'),
    /** null: as often as one likes. */
    uses: z.int().min(1).max(1000).nullable().default(1),
    expires_in_s: z.int().min(60).max(31_536_000).nullable().default(86_400),
  })
  .meta({ id: 'CreateJoinToken' });

/** The only answer with the token in it. */
export const createdJoinTokenSchema = joinTokenSchema
  .extend({ join_token: z.string() })
  .meta({ id: 'CreatedJoinToken' });
export const joinTokensSchema = z.object({ join_tokens: z.array(joinTokenSchema) });

export type Node = z.infer<typeof nodeSchema>;
export type NodesQuery = z.infer<typeof nodesQuerySchema>;
export type NodeDetails = z.infer<typeof nodeDetailsSchema>;
export type JoinToken = z.infer<typeof joinTokenSchema>;
export type CreateJoinToken = z.input<typeof createJoinTokenSchema>;
export type CreatedJoinToken = z.infer<typeof createdJoinTokenSchema>;
