import { z } from 'zod';
import { accessRulesSchema } from '../binding.ts';
import {
  accessInputSchema,
  bindingProblemSchema,
  deliverySchema,
  momentSchema,
  pageShape,
  portSchema,
  targetHostSchema,
  upstreamsInputSchema,
  upstreamStateSchema,
} from './common.ts';
import { bindingStatusSchema, totalsShape } from './mappings.ts';

export const dnsProofSchema = z.object({ type: z.enum(['TXT', 'CNAME']), name: z.string(), value: z.string() }).meta({
  id: 'DnsProof',
  description: "A record that shows that a name is the tenant's: its value is made for this tenant alone",
});

const setupRecordSchema = z.object({
  type: z.enum(['A', 'AAAA', 'CNAME', 'TXT']),
  name: z.string(),
  value: z.string(),
});

export const setupStepSchema = z
  .object({
    state: z
      .enum(['done', 'todo', 'waiting', 'problem'])
      .describe('`todo`: for you; `waiting`: for the platform, or for a first look'),
    detail: z.string().describe('A sentence for people'),
    todo: z
      .array(setupRecordSchema)
      .describe('Records to be made in the DNS; of which one is enough unless `detail` says more'),
  })
  .meta({ id: 'SetupStep' });

export const domainSetupSchema = z
  .object({
    checked_at: momentSchema.nullable().describe('Last look at the DNS; null: there was none yet'),
    ownership: setupStepSchema,
    dns: setupStepSchema,
    challenge: setupStepSchema,
    certificate: setupStepSchema,
  })
  .meta({
    id: 'DomainSetup',
    description:
      'What a custom domain has of what it needs: the proof that it is yours, a way of visitors to the relays, a way to prove ' +
      'it to the certificate authority, a certificate. As of the last look; `POST /domains/{id}/verify` looks again',
  });

export const domainSchema = z
  .object({
    domain_id: z.int(),
    user_id: z.int().nullable().describe("null: an anonymous client's"),
    namespace_id: z.int().nullable().describe('Team that shares it; null: none'),
    client_id: z.int().describe('The first of `upstreams`'),
    upstreams: z.array(upstreamStateSchema),
    full_domain: z.string(),
    subdomain: z.string().nullable().describe('Both null for a custom domain'),
    base_domain: z.string().nullable(),
    custom: z.boolean(),
    verification_state: z.enum(['verified', 'pending_verification']),
    proofs: z
      .array(dnsProofSchema)
      .describe('Records of which one proves a custom domain; empty when nothing is to be proved'),
    proof: dnsProofSchema
      .nullable()
      .optional()
      .meta({ deprecated: true, description: 'The first of `proofs`, or null; commands of 0.1 want it' }),
    proof_checked_at: momentSchema
      .nullable()
      .describe('When the proof was looked for last, and since when it is missing at a name that was verified'),
    proof_missing_since: momentSchema.nullable(),
    proof_due_at: momentSchema
      .nullable()
      .describe(
        'When it is looked for next; null: no more without POST /domains/{id}/verify, or nothing is to be proved',
      ),
    verified_at: momentSchema.nullable(),
    setup: domainSetupSchema.nullable().describe('null: a name under a base domain, which needs nothing'),
    target_scheme: z.enum(['http', 'https']),
    target_host: z.string(),
    target_port: portSchema,
    host_header: z.string().nullable().describe("Replaces the visitor's Host header; null: kept"),
    tls_mode: z.enum(['terminate', 'passthrough', 'off']),
    enabled: z.boolean(),
    status: bindingStatusSchema.or(z.literal('pending_verification')),
    problems: z.array(bindingProblemSchema),
    url: z.string(),
    urls: z.array(z.string()),
    access: accessRulesSchema,
    ...totalsShape,
    expires_at: momentSchema.nullable(),
    version: z.int().describe('Rises with every change'),
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
    subdomain: z
      .string()
      .max(253)
      .optional()
      .describe('Label under a base domain; absent, and no `domain` either: a random one'),
    domain: z.string().max(254).optional().describe("Whole name of one's own"),
    base_domain: z.string().max(253).optional().describe('Absent: the first base domain'),
    client_id: z.int().optional().describe('Absent: the calling client'),
    upstreams: upstreamsInputSchema.optional().describe('Several clients, in place of `client_id`'),
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
  .refine((body) => body.upstreams === undefined || body.client_id === undefined, {
    message: 'must not be given together with client_id',
    path: ['upstreams'],
  })
  .meta({ id: 'CreateDomain' });

export const updateDomainSchema = z
  .object({ ...targetShape, client_id: z.int(), upstreams: upstreamsInputSchema, access: accessInputSchema })
  .partial()
  .refine((body) => body.upstreams === undefined || body.client_id === undefined, {
    message: 'must not be given together with client_id',
    path: ['upstreams'],
  })
  .meta({ id: 'UpdateDomain', description: 'What is absent stays as it is. A name cannot be changed' });

export const deliveredDomainSchema = domainSchema
  .extend({ delivery: z.array(deliverySchema) })
  .meta({ id: 'DeliveredDomain' });
export const domainsPageSchema = z.object({ domains: z.array(domainSchema), ...pageShape }).meta({ id: 'DomainsPage' });

export const availabilitySchema = z
  .object({
    name: z.string(),
    full_domain: z.string().nullable(),
    available: z.boolean(),
    reason: z
      .string()
      .nullable()
      .describe('`taken`, `yours`, `quarantine`, or why the name is not allowed; null when it is free'),
    detail: z.string().nullable(),
  })
  .meta({ id: 'Availability' });

export const proofCheckSchema = dnsProofSchema
  .extend({
    found: z.array(z.string()).describe('Values that stand there'),
    matches: z.boolean(),
    result: z
      .enum(['matches', 'no_name', 'no_record', 'other_value', 'failed'])
      .describe("`no_name`: NXDOMAIN; `failed`: the domain's name servers gave no answer, such as SERVFAIL"),
    detail: z.string(),
  })
  .meta({ id: 'ProofCheck', description: 'What a look for one record has found' });

export const verifiedDomainSchema = deliveredDomainSchema.extend({ checks: z.array(proofCheckSchema) }).meta({
  id: 'VerifiedDomain',
  description: 'What a look for the proof of a custom domain has found; no `checks`: nothing is to be proved',
});

export type Domain = z.infer<typeof domainSchema>;
export type CreateDomain = z.input<typeof createDomainSchema>;
export type UpdateDomain = z.infer<typeof updateDomainSchema>;
export type DeliveredDomain = z.infer<typeof deliveredDomainSchema>;
export type Availability = z.infer<typeof availabilitySchema>;
export type VerifiedDomain = z.infer<typeof verifiedDomainSchema>;
export type DnsProof = z.infer<typeof dnsProofSchema>;
export type SetupStep = z.infer<typeof setupStepSchema>;
export type DomainSetup = z.infer<typeof domainSetupSchema>;
export type ProofCheck = z.infer<typeof proofCheckSchema>;
