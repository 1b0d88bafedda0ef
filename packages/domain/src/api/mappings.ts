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
  total_bytes_in: z.int().describe('Visitor → target'),
  total_bytes_out: z.int().describe('Target → visitor'),
  last_active_at: momentSchema.nullable(),
};

export const mappingSchema = z
  .object({
    mapping_id: z.int(),
    user_id: z.int().nullable().describe("null: an anonymous client's"),
    namespace_id: z.int().nullable().describe('Team that shares it; null: none'),
    name: z.string(),
    protocol: z.enum(['tcp', 'udp', 'http', 'socks5']),
    source_client_id: z.int().nullable().describe('null: public'),
    target_client_id: z.int().describe('The first of `upstreams`'),
    upstreams: z.array(upstreamStateSchema),
    local_port: portSchema.nullable().describe('Port at the source client; null if public'),
    relay_group: z.string().nullable().describe('Relay group and port of a public mapping'),
    remote_port: portSchema.nullable(),
    target_host: z.string().nullable().describe('null for socks5: the source names its targets'),
    target_port: portSchema.nullable(),
    enabled: z.boolean(),
    status: bindingStatusSchema,
    problems: z.array(bindingProblemSchema),
    urls: z.array(z.string()).describe('Where people reach a public mapping, such as `tcp://relay.example.com:49000`'),
    access: accessRulesSchema,
    carrier: z.enum(['auto', 'mux', 'raw']),
    ...totalsShape,
    expires_at: momentSchema.nullable().describe("A route's end; null: none"),
    version: z.int().describe('Rises with every change'),
    created_at: momentSchema,
    updated_at: momentSchema,
  })
  .meta({ id: 'Mapping' });

const nameSchema = z.string().trim().max(64);

export const createMappingSchema = z
  .object({
    user_id: z.int().optional().describe('Operators only: must own both clients'),
    name: nameSchema.default(''),
    source_client_id: z.int().optional().describe('Absent: a public mapping'),
    target_client_id: z.int().optional().describe('Absent: the calling client'),
    upstreams: upstreamsInputSchema.optional().describe('Several clients, in place of `target_client_id`'),
    protocol: z.enum(['tcp', 'http', 'socks5']).default('tcp'),
    target_host: targetHostSchema.optional(),
    target_port: portSchema.optional(),
    local_port: portSchema.optional(),
    remote_port: portSchema.optional().describe("Absent on a public mapping: a random port of the group's pool"),
    relay_group: relayGroupSchema.default('default'),
    enabled: z.boolean().default(true),
    access: accessInputSchema.optional(),
  })
  .refine((body) => body.upstreams === undefined || body.target_client_id === undefined, {
    message: 'must not be given together with target_client_id',
    path: ['upstreams'],
  })
  .meta({ id: 'CreateMapping' });

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
  .meta({
    id: 'UpdateMapping',
    description: 'What is absent stays as it is. Source, protocol and group of a mapping cannot be changed',
  });

export const deliveredMappingSchema = mappingSchema
  .extend({ delivery: z.array(deliverySchema) })
  .meta({ id: 'DeliveredMapping' });
export const mappingsPageSchema = z
  .object({ mappings: z.array(mappingSchema), ...pageShape })
  .meta({ id: 'MappingsPage' });

export type Mapping = z.infer<typeof mappingSchema>;
export type CreateMapping = z.input<typeof createMappingSchema>;
export type UpdateMapping = z.infer<typeof updateMappingSchema>;
export type DeliveredMapping = z.infer<typeof deliveredMappingSchema>;
