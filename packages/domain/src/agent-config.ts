import { z } from 'zod';
import { bindingIdSchema } from './binding.ts';

const portSchema = z.int().min(1).max(65_535);

/** One thing that an agent does: serve a target, or listen at a local port for a private mapping. */
export const agentBindingSchema = z.discriminatedUnion('role', [
  z.object({
    role: z.literal('target'),
    binding_id: bindingIdSchema,
    protocol: z.enum(['http', 'tcp', 'udp', 'socks5']),
    enabled: z.boolean(),
    /** Public address for people: `https://foo.example.com`, `tcp://relay.example.com:49000`; null if private. */
    url: z.string().nullable(),
    target_scheme: z.enum(['http', 'https', 'tcp', 'udp']),
    /** null for socks5: the source names the target. */
    target_host: z.string().nullable(),
    target_port: portSchema.nullable(),
    /** Shared with the source agent only, base64url; null if public. */
    secret: z.string().nullable(),
  }),
  z.object({
    role: z.literal('source'),
    binding_id: bindingIdSchema,
    protocol: z.enum(['http', 'tcp', 'udp', 'socks5']),
    enabled: z.boolean(),
    local_port: portSchema,
    target_client_id: z.int(),
    /** For the status view only, such as `10.0.0.5:5432`. */
    target: z.string().nullable(),
    secret: z.string(),
  }),
]);

export const agentConfigSchema = z.object({
  version: z.int().min(0),
  bindings: z.array(agentBindingSchema),
});

/** What has changed from version `since` (or any later one) to `version`. */
export const agentConfigDeltaSchema = z.object({
  version: z.int().min(0),
  since: z.int().min(0),
  /** Those that are new or changed. */
  bindings: z.array(agentBindingSchema),
  /** Ids of those that are no more. */
  removed: z.array(bindingIdSchema),
});

/** Answer of `GET /agent/v1/config`: the changes when the agent takes them and all are known, else the whole. */
export const agentConfigAnswerSchema = z.union([agentConfigDeltaSchema, agentConfigSchema]);

export type AgentConfigDelta = z.infer<typeof agentConfigDeltaSchema>;
export type AgentConfigAnswer = z.infer<typeof agentConfigAnswerSchema>;
export type AgentBinding = z.infer<typeof agentBindingSchema>;
export type AgentConfig = z.infer<typeof agentConfigSchema>;
