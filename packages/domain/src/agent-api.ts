import { z } from 'zod';
import { agentConfigAnswerSchema } from './agent-config.ts';
import { nodeAddressSchema } from './presence.ts';

/**
 * Body of `POST /agent/v1/session`. Who asks is shown by one of: an API key in `Authorization: Bearer`
 * (with `client_id`: that client, which must be the user's; without: a new managed client is made);
 * `client_id` and `auth_code`; nothing at all (a new anonymous client).
 */
export const agentSessionRequestSchema = z.object({
  client_id: z.int().optional(),
  auth_code: z.string().max(128).optional(),
  client_name: z.string().min(1).max(64).optional(),
  agent_version: z.string().max(64),
  protocol: z.int(),
  /** Version of the client's configuration that the agent has: the answer may then hold only what has changed since. */
  config_version: z.int().min(0).optional(),
});

export const agentSessionSchema = z.object({
  client_id: z.int(),
  client_type: z.enum(['managed', 'anonymous']),
  user_id: z.int().nullable(),
  /** Present once: when this call made the client, or handed out the identity of a claimed one. */
  auth_code: z.string().optional(),
  /** Bearer token of role `client` for /api/v1 and /agent/v1/config; never sent to a relay. */
  access_token: z.string(),
  access_token_expires_at: z.iso.datetime(),
  /** JWT for relays. */
  ticket: z.string(),
  ticket_expires_at: z.iso.datetime(),
  /** Online relays that the client may use, best first. */
  relays: z.array(nodeAddressSchema),
  base_domain: z.string(),
  /** How people reach the relays' public ports, for printing: templates with `{host}`. */
  http_url: z.string(),
  https_url: z.string(),
  config: agentConfigAnswerSchema,
});

/** Claims of a ticket (JWT, ES256, header `kid`). */
export const ticketClaimsSchema = z.object({
  iss: z.literal('tunnox'),
  aud: z.literal('tunnox-relay'),
  /** Client id as a string. */
  sub: z.string().regex(/^\d{9}$/),
  user_id: z.int().nullable(),
  /** Relay group that the client may use. */
  group: z.string(),
  generation: z.int().min(1),
  iat: z.int(),
  exp: z.int(),
});

export type AgentSessionRequest = z.infer<typeof agentSessionRequestSchema>;
export type AgentSession = z.infer<typeof agentSessionSchema>;
export type TicketClaims = z.infer<typeof ticketClaimsSchema>;
