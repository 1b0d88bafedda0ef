import { z } from 'zod';

export const portSchema = z.int().min(1).max(65_535);

/** Moment in RFC 3339, UTC. */
export const momentSchema = z.iso.datetime();

/** Name of a relay group. */
export const relayGroupSchema = z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/);

/** Host that an agent dials: a name, an IPv4 or an IPv6 address. */
export const targetHostSchema = z
  .string()
  .max(253)
  .regex(
    /^(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*)$/,
    'must be a host name or an IP address',
  );

/** IPv4 or IPv6 network (`10.0.0.0/8`) or single address. */
export const cidrSchema = z.union(
  [z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()],
  'must be an IP address or a CIDR range',
);

export const accessInputSchema = z
  .object({
    allow: z.array(cidrSchema).max(256).default([]),
    deny: z.array(cidrSchema).max(256).default([]),
  })
  .meta({ id: 'AccessInput', description: 'Who may visit: `deny` is stronger; an empty `allow` means everybody' });

export const upstreamInputSchema = z
  .object({
    client_id: z.int(),
    weight: z.int().min(0).max(1000).default(100),
    priority: z.int().min(0).max(1000).default(0),
  })
  .meta({
    id: 'UpstreamInput',
    description: 'A client that serves a mapping or a domain: of the lowest `priority` that is there, by `weight`',
  });

/** Several may balance and take over for one another; each client once. */
export const upstreamsInputSchema = z
  .array(upstreamInputSchema)
  .min(1)
  .max(64)
  .refine((upstreams) => new Set(upstreams.map(({ client_id }) => client_id)).size === upstreams.length, {
    message: 'must not name a client twice',
  });

export const upstreamStateSchema = z
  .object({ client_id: z.int(), weight: z.int(), priority: z.int(), online: z.boolean() })
  .meta({ id: 'UpstreamState' });

export const bindingProblemSchema = z.object({ client_id: z.int(), code: z.string(), message: z.string() }).meta({
  id: 'BindingProblem',
  description: 'What an agent could not do, such as listen at a port that is in use there',
});

export const deliverySchema = z
  .object({
    client_id: z.int(),
    state: z.enum(['applied', 'offline', 'pending', 'failed']),
    detail: z.string().optional(),
  })
  .meta({ id: 'Delivery', description: 'How far a change has come at an agent' });

/** Query of a list. `cursor` (from `next_cursor`) goes on where a page ended, also while rows are inserted. */
export const pageQuerySchema = z.object({
  page: z.coerce.number().int().min(1).max(1_000_000).default(1),
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z.string().max(400).optional(),
});

/** Members that every list has beside its items. */
export const pageShape = {
  total: z.int().min(0),
  page: z.int().min(1),
  limit: z.int().min(1),
  next_cursor: z.string().nullable(),
};

export const problemSchema = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string(),
    request_id: z.string(),
    errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem document' });

export type PageQuery = z.infer<typeof pageQuerySchema>;
export type Page<Plural extends string, Item> = Record<Plural, Item[]> & {
  total: number;
  page: number;
  limit: number;
  next_cursor: string | null;
};
export type Delivery = z.infer<typeof deliverySchema>;
export type Problem = z.infer<typeof problemSchema>;
