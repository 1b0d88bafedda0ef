import { z } from 'zod';

/** `mapping:1001` (a port mapping) or `domain:17` (an HTTP domain mapping). */
export const bindingIdSchema = z.string().regex(/^(?:mapping|domain):[1-9][0-9]{0,15}$/);

/** `foo.example.com`, `tcp:{group}:{port}`, `udp:{group}:{port}`. */
export const endpointSchema = z.string().min(1).max(280);

export const accessRulesSchema = z
  .object({
    allow: z.array(z.string()).max(256).default([]).describe('CIDR ranges that may visit; empty = everybody'),
    deny: z.array(z.string()).max(256).default([]).describe('CIDR ranges that may not; stronger than `allow`'),
  })
  .meta({ id: 'AccessRules' });

export const upstreamSchema = z.object({
  client_id: z.int(),
  weight: z.int().min(0).max(1000),
  priority: z.int().min(0).max(1000),
});

/**
 * What a relay must know of a mapping or a domain. The target (host and port) is not in it: only the agent knows
 * where it dials.
 */
export const bindingSchema = z.object({
  binding_id: bindingIdSchema,
  /** Rises with every change of the row; a newer version wins everywhere. */
  version: z.int().min(1),
  /** null for a private (client to client) mapping. */
  endpoint: endpointSchema.nullable(),
  protocol: z.enum(['http', 'tcp', 'udp', 'socks5']),
  enabled: z.boolean(),
  /** null: an anonymous client's. */
  user_id: z.int().nullable(),
  /** Source agent of a private mapping, null for a public one. */
  source_client_id: z.int().nullable(),
  upstreams: z.array(upstreamSchema).max(64),
  /** Replaces the visitor's Host header towards the target; null: kept. */
  host_header: z.string().max(255).nullable(),
  /** Show the warning page to browsers on their first visit (anonymous names). */
  warning_page: z.boolean(),
  /** From then on it is no more, whoever has not heard of it; null or absent: it does not end by itself. */
  expires_at: z.iso.datetime().nullable().optional(),
  /** It was made for a time only: Postgres alone knows it (docs/adr/0013). */
  route: z.boolean().optional(),
  access: accessRulesSchema,
});

/** Whether the binding's time is over. @param nowMs Milliseconds since 1970. */
export function hasEnded({ expires_at }: Pick<Binding, 'expires_at'>, nowMs: number): boolean {
  return expires_at !== null && expires_at !== undefined && Date.parse(expires_at) <= nowMs;
}

export type Binding = z.infer<typeof bindingSchema>;
export type AccessRules = z.infer<typeof accessRulesSchema>;
