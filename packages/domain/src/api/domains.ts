import { z } from 'zod';
import { accessRulesSchema } from '../binding.ts';
import { presenceSchema } from '../presence.ts';
import { accessInputSchema, deliverySchema, momentSchema, pageShape, portSchema, targetHostSchema } from './common.ts';
import { bindingStatusSchema, totalsShape } from './mappings.ts';

export const domainSchema = z
  .object({
    domain_id: z.int(),
    /** null: an anonymous client's. */
    user_id: z.int().nullable(),
    client_id: z.int(),
    full_domain: z.string(),
    /** Both null for a custom domain. */
    subdomain: z.string().nullable(),
    base_domain: z.string().nullable(),
    custom: z.boolean(),
    verification_state: z.enum(['verified', 'pending_verification']),
    /** The record that proves a custom domain; null when nothing is to be proved. */
    proof: z.object({ type: z.literal('TXT'), name: z.string(), value: z.string() }).nullable(),
    target_scheme: z.enum(['http', 'https']),
    target_host: z.string(),
    target_port: portSchema,
    /** Replaces the visitor's Host header; null: kept. */
    host_header: z.string().nullable(),
    tls_mode: z.enum(['terminate', 'passthrough', 'off']),
    enabled: z.boolean(),
    status: bindingStatusSchema.or(z.literal('pending_verification')),
    url: z.string(),
    urls: z.array(z.string()),
    access: accessRulesSchema,
    ...totalsShape,
    expires_at: momentSchema.nullable(),
    /** Rises with every change. */
    version: z.int(),
    created_at: momentSchema,
    updated_at: momentSchema,
  })
  .meta({ id: 'Domain' });

const hostHeaderSchema = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[A-Za-z0-9_.[\]:-]+$/, 'must be a host name, with a port or without');

const targetShape = {
  target_host: targetHostSchema,
  target_port: portSchema,
  target_scheme: z.enum(['http', 'https']),
  host_header: hostHeaderSchema.nullable(),
  tls_mode: z.enum(['terminate', 'off']),
  enabled: z.boolean(),
};

export const createDomainSchema = z
  .object({
    /** Label under a base domain; absent, and no `domain` either: a random one. */
    subdomain: z.string().max(253).optional(),
    /** Whole name of one's own. */
    domain: z.string().max(254).optional(),
    /** Absent: the first base domain. */
    base_domain: z.string().max(253).optional(),
    /** Absent: the calling client. */
    client_id: z.int().optional(),
    ...targetShape,
    target_host: targetShape.target_host.default('127.0.0.1'),
    target_scheme: targetShape.target_scheme.default('http'),
    host_header: targetShape.host_header.default(null),
    tls_mode: targetShape.tls_mode.default('terminate'),
    enabled: targetShape.enabled.default(true),
    access: accessInputSchema.optional(),
  })
  .refine((body) => body.domain === undefined || body.subdomain === undefined, {
    message: 'must not be given together with subdomain',
    path: ['domain'],
  })
  .meta({ id: 'CreateDomain' });

/** What is absent stays as it is. A name cannot be changed. */
export const updateDomainSchema = z
  .object({ ...targetShape, client_id: z.int(), access: accessInputSchema })
  .partial()
  .meta({ id: 'UpdateDomain' });

export const deliveredDomainSchema = domainSchema
  .extend({ delivery: z.array(deliverySchema) })
  .meta({ id: 'DeliveredDomain' });
export const domainsPageSchema = z.object({ domains: z.array(domainSchema), ...pageShape });

export const availabilitySchema = z
  .object({
    name: z.string(),
    full_domain: z.string().nullable(),
    available: z.boolean(),
    /** `taken`, `yours`, or why the name is not allowed; null when it is free. */
    reason: z.string().nullable(),
    detail: z.string().nullable(),
  })
  .meta({ id: 'Availability' });

/** A route: what an endpoint is bound to, and where its clients are now. */
export const routeSchema = z
  .object({
    endpoint: z.string(),
    binding_id: z.string(),
    version: z.int(),
    protocol: z.enum(['http', 'tcp', 'udp', 'socks5']),
    enabled: z.boolean(),
    user_id: z.int().nullable(),
    upstreams: z.array(z.object({ client_id: z.int(), presence: presenceSchema.nullable() })),
  })
  .meta({ id: 'Route' });
export const routesPageSchema = z.object({ routes: z.array(routeSchema), ...pageShape });

export type Domain = z.infer<typeof domainSchema>;
export type CreateDomain = z.input<typeof createDomainSchema>;
export type UpdateDomain = z.infer<typeof updateDomainSchema>;
export type DeliveredDomain = z.infer<typeof deliveredDomainSchema>;
export type Availability = z.infer<typeof availabilitySchema>;
export type Route = z.infer<typeof routeSchema>;
