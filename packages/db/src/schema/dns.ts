import { sql } from 'drizzle-orm';
import {
  boolean,
  check,
  doublePrecision,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  real,
  text,
  uniqueIndex,
} from 'drizzle-orm/pg-core';
import { instant, int53, oneOf } from './columns.ts';
import { users } from './users.ts';

export const PROVIDER_KINDS = ['cloudflare', 'powerdns'] as const;
export const ZONE_POLICIES = ['sync', 'upsert_only', 'dry_run'] as const;
export const ZONE_STATUSES = ['pending', 'active', 'error'] as const;
export const DNS_TYPES = ['A', 'AAAA', 'CNAME', 'TXT'] as const;
export const DNS_RECORD_STATUSES = ['pending', 'running', 'active', 'error'] as const;
export const DNS_OWNER_TYPES = ['node_group', 'line_group', 'website_domain', 'acme_challenge', 'manual'] as const;
export const DNS_RUN_KINDS = ['due', 'full', 'dry_run'] as const;
export const DNS_RUN_STATUSES = ['running', 'done', 'partial', 'failed', 'refused'] as const;

/** How a DNS provider is reached. */
export const providerCredentials = pgTable(
  'provider_credentials',
  {
    credentialId: int53().primaryKey().generatedAlwaysAsIdentity(),
    /** null: the operators'. */
    userId: int53().references(() => users.userId),
    name: text().notNull(),
    provider: text({ enum: PROVIDER_KINDS }).notNull(),
    /** AES-256-GCM; bears the id of its key. */
    tokenEncrypted: text().notNull(),
    /** URL of the provider's API; null: the provider's own. */
    endpoint: text(),
    /** Calls of the running window of five minutes, over all zones and all control planes. */
    windowStartedAt: instant(),
    windowCalls: integer().notNull().default(0),
    /** The provider has asked to wait until then. */
    blockedUntil: instant(),
    rowVersion: int53().notNull().default(1),
    createdAt: instant().notNull().defaultNow(),
    updatedAt: instant().notNull().defaultNow(),
  },
  (t) => [
    index('provider_credentials_user').on(t.userId, t.credentialId),
    check('provider_credentials_provider_known', oneOf(t.provider, PROVIDER_KINDS)),
    check('provider_credentials_name_length', sql`length(${t.name}) between 1 and 64`),
  ],
);

/** A domain whose records are reconciled. */
export const dnsZones = pgTable(
  'dns_zones',
  {
    zoneId: int53().primaryKey().generatedAlwaysAsIdentity(),
    /** null: the operators'. */
    userId: int53().references(() => users.userId),
    /** Lower-case ASCII without a dot at its end. */
    domain: text().notNull(),
    credentialId: int53()
      .notNull()
      .references(() => providerCredentials.credentialId),
    /** null: not found at the provider yet. */
    providerZoneId: text(),
    /** Twelve letters or digits in the mark of every record of ours: nobody else's zone has them. */
    tag: text().notNull().unique(),
    policy: text({ enum: ZONE_POLICIES }).notNull().default('sync'),
    /** Records that follow relays and domains by themselves are made here. */
    ownerRecords: boolean().notNull().default(true),
    /** Relay group to which base domains in this zone lead; null: they are left alone. */
    websiteGroup: text(),
    /** Share of the zone's own records that one run may change or delete, 0 to 1. */
    guardShare: real().notNull().default(0.3),
    status: text({ enum: ZONE_STATUSES }).notNull().default('pending'),
    lastError: text(),
    /** Who reconciles now, until when; `fence` rises with every holder, and late writes of an older one are refused. */
    leaseHolder: text(),
    leaseUntil: instant(),
    fence: int53().notNull().default(0),
    /** Last pass over the whole zone, for drift. */
    fullPassAt: instant(),
    /** End of the last run of any kind. */
    ranAt: instant(),
    rowVersion: int53().notNull().default(1),
    createdAt: instant().notNull().defaultNow(),
    updatedAt: instant().notNull().defaultNow(),
  },
  (t) => [
    // A tenant and the operators may both have a zone: their marks differ.
    uniqueIndex('dns_zones_domain').on(sql`coalesce(${t.userId}, 0)`, t.domain),
    index('dns_zones_credential').on(t.credentialId),
    check('dns_zones_policy_known', oneOf(t.policy, ZONE_POLICIES)),
    check('dns_zones_status_known', oneOf(t.status, ZONE_STATUSES)),
    check('dns_zones_domain_name', sql`${t.domain} = lower(${t.domain}) and length(${t.domain}) <= 253`),
    check('dns_zones_tag', sql`${t.tag} ~ '^[a-z0-9]{12}$'`),
    check('dns_zones_guard', sql`${t.guardShare} between 0 and 1`),
  ],
);

/** A record as it shall be; its row goes once the provider has confirmed that it is absent. */
export const domainDnsRecords = pgTable(
  'domain_dns_records',
  {
    recordId: int53().primaryKey().generatedAlwaysAsIdentity(),
    zoneId: int53()
      .notNull()
      .references(() => dnsZones.zoneId),
    type: text({ enum: DNS_TYPES }).notNull(),
    /** Whole name in normal form. */
    name: text().notNull(),
    /** Canonical value. */
    value: text().notNull(),
    /** Seconds; 1: the provider's choice. */
    ttl: integer().notNull().default(1),
    /** null: as the provider has it. */
    proxied: boolean(),
    status: text({ enum: DNS_RECORD_STATUSES }).notNull().default('pending'),
    desiredState: text({ enum: ['present', 'absent'] })
      .notNull()
      .default('present'),
    providerRecordId: text(),
    retryCount: integer().notNull().default(0),
    /** When it is due; null: nothing is to be done, or a person has to ask for it. */
    nextRetryAt: instant().defaultNow(),
    lastError: text(),
    /** Stable, such as `conflict`, `rejected`, `unauthorized`. */
    lastErrorCode: text(),
    ownerType: text({ enum: DNS_OWNER_TYPES }).notNull(),
    /** Such as a group's name or a domain's id; null: nobody in particular. */
    ownerId: text(),
    /** Made by its owner, which it follows; people's own are never changed for them. */
    automatic: boolean().notNull().default(false),
    /** Fence of the run that holds a `running` row. */
    runFence: int53(),
    /** Rises with every change of what is desired: a run that read an older one does not say that it is done. */
    rowVersion: int53().notNull().default(1),
    syncedAt: instant(),
    createdAt: instant().notNull().defaultNow(),
    updatedAt: instant().notNull().defaultNow(),
  },
  (t) => [
    uniqueIndex('domain_dns_records_value').on(t.zoneId, t.type, t.name, t.value),
    index('domain_dns_records_zone').on(t.zoneId, t.recordId),
    index('domain_dns_records_name').on(t.zoneId, t.name),
    // Those that follow relays: looked through with every change of one.
    index('domain_dns_records_relays')
      .on(t.zoneId, t.name)
      .where(sql`${t.automatic} and (${t.type} in ('A', 'AAAA') or ${t.name} like '*.%')`),
    index('domain_dns_records_due')
      .on(t.zoneId, t.nextRetryAt)
      .where(sql`${t.nextRetryAt} is not null`),
    index('domain_dns_records_owner').on(t.ownerType, t.ownerId),
    check('domain_dns_records_type_known', oneOf(t.type, DNS_TYPES)),
    check('domain_dns_records_status_known', oneOf(t.status, DNS_RECORD_STATUSES)),
    check('domain_dns_records_desired_known', sql`${t.desiredState} in ('present', 'absent')`),
    check('domain_dns_records_owner_known', oneOf(t.ownerType, DNS_OWNER_TYPES)),
    check('domain_dns_records_ttl', sql`${t.ttl} = 1 or ${t.ttl} between 60 and 86400`),
    check('domain_dns_records_name', sql`${t.name} = lower(${t.name}) and length(${t.name}) <= 253`),
  ],
);

/** What runs have planned and done. */
export const dnsRuns = pgTable(
  'dns_runs',
  {
    runId: int53().primaryKey().generatedAlwaysAsIdentity(),
    zoneId: int53()
      .notNull()
      .references(() => dnsZones.zoneId, { onDelete: 'cascade' }),
    kind: text({ enum: DNS_RUN_KINDS }).notNull(),
    status: text({ enum: DNS_RUN_STATUSES }).notNull(),
    /** Items of the plan that change or report something, the first 1000. */
    plan: jsonb().notNull().default([]),
    /** Counts by kind, of the whole plan, and of what became of it. */
    counts: jsonb().notNull().default({}),
    /** SHA-256 of the plan: confirms a refused one. */
    planHash: text(),
    providerCalls: integer().notNull().default(0),
    error: text(),
    startedAt: instant().notNull().defaultNow(),
    finishedAt: instant(),
  },
  (t) => [
    index('dns_runs_zone').on(t.zoneId, t.runId),
    index('dns_runs_started_at').on(t.startedAt),
    check('dns_runs_kind_known', oneOf(t.kind, DNS_RUN_KINDS)),
    check('dns_runs_status_known', oneOf(t.status, DNS_RUN_STATUSES)),
  ],
);

/** What all runs of a zone have come to, also those that are no longer kept: counters of the metrics. */
export const dnsRunTotals = pgTable(
  'dns_run_totals',
  {
    zoneId: int53()
      .notNull()
      .references(() => dnsZones.zoneId, { onDelete: 'cascade' }),
    kind: text({ enum: DNS_RUN_KINDS }).notNull(),
    status: text({ enum: DNS_RUN_STATUSES }).notNull(),
    runs: int53().notNull().default(0),
    providerCalls: int53().notNull().default(0),
    failedRecords: int53().notNull().default(0),
    seconds: doublePrecision().notNull().default(0),
  },
  (t) => [primaryKey({ columns: [t.zoneId, t.kind, t.status] })],
);
