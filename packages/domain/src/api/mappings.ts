import { z } from 'zod';
import { accessRulesSchema } from '../binding.ts';
import {
  accessInputSchema,
  bindingProblemSchema,
  deliverySchema,
  momentSchema,
  pageShape,
  portSchema,
  relayGroupSchema,
  targetHostSchema,
  upstreamsInputSchema,
  upstreamStateSchema,
} from './common.ts';

/** `active`: enabled, and an agent of it is attached. `error`: an agent could not do its part (`problems`). */
export const bindingStatusSchema = z.enum(['active', 'inactive', 'disabled', 'error']);

/** Traffic since a mapping or a domain was made. */
export const totalsShape = {
  total_connections: z.int(),
  /** Visitor → target. */
  total_bytes_in: z.int(),
  /** Target → visitor. */
  total_bytes_out: z.int(),
  last_active_at: momentSchema.nullable(),
};

export const mappingSchema = z
  .object({
    mapping_id: z.int(),
    /** null: an anonymous client's. */
    user_id: z.int().nullable(),
    /** Team that shares it; null: none. */
    namespace_id: z.int().nullable(),
    name: z.string(),
    protocol: z.enum(['tcp', 'udp', 'http', 'socks5']),
    /** null: public. */
    source_client_id: z.int().nullable(),
    /** The first of `upstreams`. */
    target_client_id: z.int(),
    upstreams: z.array(upstreamStateSchema),
    /** Port at the source client; null if public. */
    local_port: portSchema.nullable(),
    /** Relay group and port of a public mapping. */
    relay_group: z.string().nullable(),
    remote_port: portSchema.nullable(),
    /** null for socks5: the source names its targets. */
    target_host: z.string().nullable(),
    target_port: portSchema.nullable(),
    enabled: z.boolean(),
    status: bindingStatusSchema,
    problems: z.array(bindingProblemSchema),
    /** Where people reach a public mapping, such as `tcp://relay.example.com:49000`. */
    urls: z.array(z.string()),
    access: accessRulesSchema,
    carrier: z.enum(['auto', 'mux', 'raw']),
    ...totalsShape,
    /** A route's end; null: none. */
    expires_at: momentSchema.nullable(),
    /** Rises with every change. */
    version: z.int(),
    created_at: momentSchema,
    updated_at: momentSchema,
  })
  .meta({ id: 'Mapping' });

const nameSchema = z.string().trim().max(64);

export const createMappingSchema = z
  .object({
    /** Operators only: must own both clients. */
    user_id: z.int().optional(),
    name: nameSchema.default(''),
    /** Absent: a public mapping. */
    source_client_id: z.int().optional(),
    /** Absent: the calling client. */
    target_client_id: z.int().optional(),
    /** Several clients, in place of `target_client_id`. */
    upstreams: upstreamsInputSchema.optional(),
    protocol: z.enum(['tcp', 'http', 'socks5']).default('tcp'),
    target_host: targetHostSchema.optional(),
    target_port: portSchema.optional(),
    local_port: portSchema.optional(),
    /** Absent on a public mapping: a random port of the group's pool. */
    remote_port: portSchema.optional(),
    relay_group: relayGroupSchema.default('default'),
    enabled: z.boolean().default(true),
    access: accessInputSchema.optional(),
  })
  .refine((body) => body.upstreams === undefined || body.target_client_id === undefined, {
    message: 'must not be given together with target_client_id',
    path: ['upstreams'],
  })
  .meta({ id: 'CreateMapping' });

/** What is absent stays as it is. Source, protocol and group of a mapping cannot be changed. */
export const updateMappingSchema = z
  .object({
    name: nameSchema.optional(),
    target_host: targetHostSchema.optional(),
    target_port: portSchema.optional(),
    local_port: portSchema.optional(),
    remote_port: portSchema.optional(),
    enabled: z.boolean().optional(),
    access: accessInputSchema.optional(),
    upstreams: upstreamsInputSchema.optional(),
  })
  .meta({ id: 'UpdateMapping' });

export const deliveredMappingSchema = mappingSchema
  .extend({ delivery: z.array(deliverySchema) })
  .meta({ id: 'DeliveredMapping' });
export const mappingsPageSchema = z.object({ mappings: z.array(mappingSchema), ...pageShape });

export type Mapping = z.infer<typeof mappingSchema>;
export type CreateMapping = z.input<typeof createMappingSchema>;
export type UpdateMapping = z.infer<typeof updateMappingSchema>;
export type DeliveredMapping = z.infer<typeof deliveredMappingSchema>;
