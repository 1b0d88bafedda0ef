import { z } from 'zod';

export const nodeIdSchema = z.string().regex(/^node-(?:\d{3}|1000)$/);

/** ULID of one run of a relay or an agent. */
export const ulidSchema = z.string().regex(/^[0-9A-HJKMNP-TV-Z]{26}$/);

/** Where a client's agent session is: owned by its ClientPresence object. */
export const presenceSchema = z.object({
  client_id: z.int(),
  node_id: nodeIdSchema,
  incarnation: ulidSchema,
  instance_id: ulidSchema,
  connect_seq: z.int().min(1),
  /** Credential generation: rises when a client is disabled, claimed or rotated. */
  generation: z.int().min(1),
  attached_at: z.iso.datetime(),
});

/** How other relays and agents reach a relay. Addresses are `host:port`. */
export const nodeAddressSchema = z.object({
  node_id: nodeIdSchema,
  incarnation: ulidSchema,
  group: z.string(),
  region: z.string(),
  bridge: z.string(),
  agent_tcp: z.string(),
  agent_ws: z.string(),
  /** Lower-case hex SHA-256 of the node key's SubjectPublicKeyInfo (DER): pinned by peers and agents. */
  fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
  status: z.enum(['starting', 'online', 'draining', 'offline']),
});

export type Presence = z.infer<typeof presenceSchema>;
export type NodeAddress = z.infer<typeof nodeAddressSchema>;
