import { z } from 'zod';
import { bindingSchema } from './binding.ts';

/** Limits that the agent's relay enforces; null = unlimited. */
export const relayLimitsSchema = z.object({
  max_connections_per_mapping: z.int().min(0).nullable(),
  /** Bytes a second, shared by all tunnels of the user at this relay. */
  bandwidth_bytes_per_s: z.int().min(0).nullable(),
  /** What is left of this month's traffic in bytes. */
  traffic_remaining_bytes: z.int().nullable(),
});

/** All that the agent's relay needs to decide about a client's tunnels; pushed whole whenever it changes. */
export const clientPolicySchema = z.object({
  client_id: z.int(),
  user_id: z.int().nullable(),
  generation: z.int().min(1),
  /** Rises with every change of the client's configuration. */
  config_version: z.int().min(0),
  limits: relayLimitsSchema,
  /** Every binding that names this client as upstream or as source. */
  bindings: z.array(bindingSchema),
});

export type RelayLimits = z.infer<typeof relayLimitsSchema>;
export type ClientPolicy = z.infer<typeof clientPolicySchema>;
