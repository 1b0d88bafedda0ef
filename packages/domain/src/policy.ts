import { z } from 'zod';
import { bindingIdSchema, bindingSchema } from './binding.ts';

/** Limits over the whole cluster, and what the user's ledger (see adr/0011) has made of them for one client. */
export const ledgerWordSchema = z.object({
  /** Rises with each decision; 0: the ledger was not asked, the limits stand as they are. */
  version: z.int().min(0),
  /** The user's limit over all relays in bytes a second; null = unlimited. */
  total_bandwidth_bytes_per_s: z.int().min(0).nullable(),
  /** How many of the user's bindings may be active at once; null = unlimited. */
  max_active_mappings: z.int().min(0).nullable(),
  /** Bindings of this client that may not be active now: others of the user have the places. */
  waiting_bindings: z.array(bindingIdSchema),
});

/** Limits that the agent's relay enforces; null = unlimited. */
export const relayLimitsSchema = z.object({
  max_connections_per_mapping: z.int().min(0).nullable(),
  /** Bytes a second, shared by all tunnels of the user at this relay: its share, when the user is at several. */
  bandwidth_bytes_per_s: z.int().min(0).nullable(),
  /** What is left of this month's traffic in bytes. */
  traffic_remaining_bytes: z.int().nullable(),
  /** Absent: a control plane of an earlier version. */
  ledger: ledgerWordSchema.optional(),
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

export type LedgerWord = z.infer<typeof ledgerWordSchema>;
export type RelayLimits = z.infer<typeof relayLimitsSchema>;
export type ClientPolicy = z.infer<typeof clientPolicySchema>;
