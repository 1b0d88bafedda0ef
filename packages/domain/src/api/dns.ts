import { z } from 'zod';
import { momentSchema, pageQuerySchema, pageShape, relayGroupSchema } from './common.ts';

export const providerKindSchema = z.enum(['cloudflare', 'powerdns']);
export const dnsTypeSchema = z.enum(['A', 'AAAA', 'CNAME', 'TXT']);
export const dnsRecordStatusSchema = z.enum(['pending', 'running', 'active', 'error']);
export const dnsOwnerTypeSchema = z.enum(['node_group', 'line_group', 'website_domain', 'acme_challenge', 'manual']);
export const zonePolicySchema = z.enum(['sync', 'upsert_only', 'dry_run']);

/** How a DNS provider is reached. The token is never in an answer. */
export const dnsCredentialSchema = z
  .object({
    credential_id: z.int(),
    /** null: the operators'. */
    user_id: z.int().nullable(),
    name: z.string(),
    provider: providerKindSchema,
    /** URL of the provider's API; null: the provider's own. */
    endpoint: z.string().nullable(),
    /** Calls of the last five minutes, of all zones together, and how many there may be. */
    calls: z.int(),
    calls_max: z.int(),
    /** The provider has asked to wait until then; null: it has not. */
    blocked_until: momentSchema.nullable(),
    zones: z.int(),
    created_at: momentSchema,
    updated_at: momentSchema,
    version: z.int(),
  })
  .meta({ id: 'DnsCredential' });

const credentialNameSchema = z.string().trim().min(1).max(64);
const tokenSchema = z
  .string()
  .regex(/^[\x21-\x7e]{8,1024}$/, 'must be 8 to 1024 printable ASCII characters without blanks');

export const createDnsCredentialSchema = z
  .object({
    name: credentialNameSchema,
    provider: providerKindSchema,
    token: tokenSchema,
    /** PowerDNS: URL of its API, such as `https://dns.example.com:8081`. */
    endpoint: z.url().max(2048).optional(),
  })
  .meta({ id: 'CreateDnsCredential' });

/** What is absent stays as it is. */
export const updateDnsCredentialSchema = z
  .object({ name: credentialNameSchema, token: tokenSchema, endpoint: z.url().max(2048) })
  .partial()
  .meta({ id: 'UpdateDnsCredential' });

export const dnsCredentialsPageSchema = z
  .object({ credentials: z.array(dnsCredentialSchema), ...pageShape })
  .meta({ id: 'DnsCredentials' });

export const dnsZoneSchema = z
  .object({
    zone_id: z.int(),
    user_id: z.int().nullable(),
    domain: z.string(),
    credential_id: z.int(),
    provider: providerKindSchema,
    /** null: not found at the provider yet. */
    provider_zone_id: z.string().nullable(),
    /** What stands in the comment of every record of ours in this zone. */
    mark: z.string(),
    /** `sync`: as the rows say. `upsert_only`: nothing is deleted at the provider. `dry_run`: nothing is changed there. */
    policy: zonePolicySchema,
    /** Records that follow relays and domains by themselves are made here. */
    owner_records: z.boolean(),
    /** Operators: relay group to which the base domains in this zone lead; null: they are left alone. */
    website_group: relayGroupSchema.nullable(),
    /** Share of the zone's own records that one run may change or delete without being confirmed, 0 to 1. */
    guard_share: z.number(),
    status: z.enum(['pending', 'active', 'error']),
    last_error: z.string().nullable(),
    /** Records by status; `deleting` are those that shall be absent. */
    records: z.object({ pending: z.int(), running: z.int(), active: z.int(), error: z.int(), deleting: z.int() }),
    /** Last pass over the whole zone. */
    full_pass_at: momentSchema.nullable(),
    created_at: momentSchema,
    updated_at: momentSchema,
    version: z.int(),
  })
  .meta({ id: 'DnsZone' });

export const createDnsZoneSchema = z
  .object({
    domain: z.string().min(1).max(254),
    credential_id: z.int(),
    /** The provider's id of the zone; looked up by name if absent. */
    provider_zone_id: z.string().min(1).max(255).optional(),
    policy: zonePolicySchema.default('sync'),
    owner_records: z.boolean().default(true),
    website_group: relayGroupSchema.nullable().default(null),
  })
  .meta({ id: 'CreateDnsZone' });

export const updateDnsZoneSchema = z
  .object({
    credential_id: z.int(),
    policy: zonePolicySchema,
    guard_share: z.number().min(0).max(1),
    owner_records: z.boolean(),
    website_group: relayGroupSchema.nullable(),
  })
  .partial()
  .meta({ id: 'UpdateDnsZone' });

export const dnsZonesPageSchema = z.object({ zones: z.array(dnsZoneSchema), ...pageShape }).meta({ id: 'DnsZones' });

export const dnsRecordSchema = z
  .object({
    record_id: z.int(),
    zone_id: z.int(),
    type: dnsTypeSchema,
    /** Whole name, without a dot at its end. */
    name: z.string(),
    value: z.string(),
    /** Seconds; 1: the provider's choice. */
    ttl: z.int(),
    /** Cloudflare: whether visitors go through it; null: as it is there. */
    proxied: z.boolean().nullable(),
    status: dnsRecordStatusSchema,
    desired_state: z.enum(['present', 'absent']),
    provider_record_id: z.string().nullable(),
    retry_count: z.int(),
    /** When it is tried next; null: nothing is to be done, or it waits for `retry`. */
    next_retry_at: momentSchema.nullable(),
    last_error: z.string().nullable(),
    /** Stable, such as `conflict`, `rejected`, `unauthorized`, `rate_limited`, `unreachable`. */
    last_error_code: z.string().nullable(),
    owner_type: dnsOwnerTypeSchema,
    owner_id: z.string().nullable(),
    /** Made by its owner, which it follows. */
    automatic: z.boolean(),
    synced_at: momentSchema.nullable(),
    created_at: momentSchema,
    updated_at: momentSchema,
  })
  .meta({ id: 'DnsRecord' });

export const createDnsRecordSchema = z
  .object({
    zone_id: z.int(),
    type: dnsTypeSchema,
    /** `@`: the zone; `www`, `a.b`: within it; with a dot at its end: whole. */
    name: z.string().max(254),
    value: z.string().min(1).max(4096),
    ttl: z
      .int()
      .refine((ttl) => ttl === 1 || (ttl >= 60 && ttl <= 86_400), 'must be 1 (automatic) or 60 to 86400 seconds')
      .default(1),
    proxied: z.boolean().nullable().default(null),
    owner_type: dnsOwnerTypeSchema.default('manual'),
    owner_id: z.string().min(1).max(253).nullable().default(null),
  })
  .meta({ id: 'CreateDnsRecord' });

export const dnsRecordsQuerySchema = pageQuerySchema.extend({
  zone_id: z.coerce.number().int().min(1).optional(),
  status: dnsRecordStatusSchema.optional(),
  desired_state: z.enum(['present', 'absent']).optional(),
  owner_type: dnsOwnerTypeSchema.optional(),
  owner_id: z.string().max(253).optional(),
  type: dnsTypeSchema.optional(),
  name: z.string().max(254).optional(),
});

export const dnsRecordsPageSchema = z
  .object({ records: z.array(dnsRecordSchema), ...pageShape })
  .meta({ id: 'DnsRecords' });

export const deleteDnsRecordsSchema = z
  .object({ ids: z.array(z.int()).min(1).max(1000) })
  .meta({ id: 'DeleteDnsRecords' });
/** How many are marked for deletion now. */
export const affectedSchema = z.object({ affected: z.int() }).meta({ id: 'Affected' });

export const dnsPlanItemSchema = z
  .object({
    /** `note` says more: a drift, an orphan, why there is a conflict, what became of it. */
    action: z.enum(['create', 'update', 'delete', 'adopt', 'conflict', 'gone']),
    /** null: an orphan, which no row knows. */
    record_id: z.int().nullable(),
    type: z.string(),
    name: z.string(),
    value: z.string(),
    outcome: z.enum(['planned', 'done', 'failed', 'held', 'refused']),
    note: z.string().nullable(),
  })
  .meta({ id: 'DnsPlanItem' });

export const dnsRunSchema = z
  .object({
    run_id: z.int(),
    zone_id: z.int(),
    /** `due`: rows that were due; `full`: the whole zone, for drift; `dry_run`: the plan alone. */
    kind: z.enum(['due', 'full', 'dry_run']),
    /** `refused`: the guard against mass changes; `confirm=<plan_hash>` lets it pass. */
    status: z.enum(['running', 'done', 'partial', 'failed', 'refused']),
    /** The first 1000 items that change or report something. */
    plan: z.array(dnsPlanItemSchema),
    /** Items of the whole plan by action, and by outcome. */
    counts: z.record(z.string(), z.int()),
    plan_hash: z.string().nullable(),
    provider_calls: z.int(),
    error: z.string().nullable(),
    started_at: momentSchema,
    finished_at: momentSchema.nullable(),
  })
  .meta({ id: 'DnsRun' });

export const reconcileQuerySchema = z.object({
  dry_run: z.enum(['true', 'false']).optional(),
  /** `plan_hash` of a run that the guard has refused. */
  confirm: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  /** `identical`: foreign records that are just as desired are taken over. */
  adopt: z.enum(['identical']).optional(),
});

export const dnsRunsPageSchema = z.object({ runs: z.array(dnsRunSchema), ...pageShape }).meta({ id: 'DnsRuns' });

export type DnsCredential = z.infer<typeof dnsCredentialSchema>;
export type CreateDnsCredential = z.input<typeof createDnsCredentialSchema>;
export type UpdateDnsCredential = z.infer<typeof updateDnsCredentialSchema>;
export type DnsZone = z.infer<typeof dnsZoneSchema>;
export type CreateDnsZone = z.input<typeof createDnsZoneSchema>;
export type UpdateDnsZone = z.infer<typeof updateDnsZoneSchema>;
export type DnsRecord = z.infer<typeof dnsRecordSchema>;
export type CreateDnsRecord = z.input<typeof createDnsRecordSchema>;
export type DnsPlanItem = z.infer<typeof dnsPlanItemSchema>;
export type DnsRun = z.infer<typeof dnsRunSchema>;
export type ProviderKind = z.infer<typeof providerKindSchema>;
