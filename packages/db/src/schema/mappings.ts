import { sql } from 'drizzle-orm';
import {
  boolean,
  check,
  index,
  integer,
  jsonb,
  pgSequence,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
} from 'drizzle-orm/pg-core';
import { clients } from './clients.ts';
import { instant, int53, isPort, oneOf } from './columns.ts';
import { namespaces } from './namespaces.ts';
import { users } from './users.ts';

export const MAPPING_PROTOCOLS = ['tcp', 'udp', 'http', 'socks5'] as const;
export const CARRIERS = ['auto', 'mux', 'raw'] as const;
export const VERIFICATION_STATES = ['verified', 'pending_verification'] as const;
export const TARGET_SCHEMES = ['http', 'https'] as const;
export const TLS_MODES = ['terminate', 'passthrough', 'off'] as const;
export const DOMAIN_STATUSES = ['active', 'disabled'] as const;

/**
 * Versions of mappings and domains. One sequence for all, so that a name that is deleted and made anew has a higher
 * version than before. It steps by two: a deleted row's last word is its `row_version` + 1, still below any later row's.
 */
export const rowVersionSequence = pgSequence('row_version_seq', { startWith: 2, increment: 2 });
/** Endpoint of a public mapping, in the order of its bytes. */
const MAPPING_ENDPOINT = sql.raw(`("protocol" || ':' || "relay_group" || ':' || "remote_port"::text) collate "C"`);

export const mappingIdSequence = pgSequence('mapping_id_seq', { startWith: 1001 });

const rowVersion = () =>
  int53()
    .notNull()
    .default(sql`nextval('row_version_seq')`);

/** A port mapping: private (from a port at the source client) or public (from a port of a relay group). */
export const portMappings = pgTable(
  'port_mappings',
  {
    mappingId: int53()
      .primaryKey()
      .default(sql`nextval('mapping_id_seq')`),
    /** null: an anonymous client's. */
    userId: int53().references(() => users.userId),
    /** Team that shares it, always that of its clients; null: only its user's. */
    namespaceId: int53().references(() => namespaces.namespaceId),
    name: text().notNull().default(''),
    /** null: public. */
    sourceClientId: int53().references(() => clients.clientId),
    protocol: text({ enum: MAPPING_PROTOCOLS }).notNull(),
    /** Port at the source client; null if public. */
    localPort: integer(),
    /** Relay group and port of a public mapping; null if private. */
    relayGroup: text(),
    remotePort: integer(),
    /** null for socks5. */
    targetHost: text(),
    targetPort: integer(),
    /** Encrypted; null if public. */
    secretEncrypted: text(),
    enabled: boolean().notNull().default(true),
    carrier: text({ enum: CARRIERS }).notNull().default('auto'),
    /** CIDR ranges. */
    accessAllow: text()
      .array()
      .notNull()
      .default(sql`'{}'`),
    accessDeny: text()
      .array()
      .notNull()
      .default(sql`'{}'`),
    totalBytesIn: int53().notNull().default(0),
    totalBytesOut: int53().notNull().default(0),
    totalConnections: int53().notNull().default(0),
    lastActiveAt: instant(),
    /** Routes end with their time, … */
    expiresAt: instant(),
    /** … or when the agent that serves them is detached. */
    endsWithClient: boolean().notNull().default(false),
    /** It was attached when the route was made; otherwise the route waits for it. */
    madeAttached: boolean().notNull().default(false),
    rowVersion: rowVersion(),
    createdAt: instant().notNull().defaultNow(),
    updatedAt: instant().notNull().defaultNow(),
  },
  (t) => [
    uniqueIndex('port_mappings_public_port').on(t.relayGroup, t.protocol, t.remotePort),
    index('port_mappings_user').on(t.userId, t.mappingId),
    index('port_mappings_namespace').on(t.namespaceId, t.mappingId),
    index('port_mappings_source').on(t.sourceClientId),
    index('port_mappings_expires_at').on(t.expiresAt),
    index('port_mappings_leaving')
      .on(t.mappingId)
      .where(sql`${t.endsWithClient}`),
    // Lists of endpoints are read in their order, page by page.
    index('port_mappings_endpoint')
      .on(sql`${MAPPING_ENDPOINT}`)
      .where(sql`${t.sourceClientId} is null`),
    index('port_mappings_user_endpoint')
      .on(t.userId, sql`${MAPPING_ENDPOINT}`)
      .where(sql`${t.sourceClientId} is null`),
    index('port_mappings_namespace_endpoint')
      .on(t.namespaceId, sql`${MAPPING_ENDPOINT}`)
      .where(sql`${t.sourceClientId} is null and ${t.namespaceId} is not null`),
    check('port_mappings_protocol_known', oneOf(t.protocol, MAPPING_PROTOCOLS)),
    check('port_mappings_carrier_known', oneOf(t.carrier, CARRIERS)),
    check('port_mappings_local_port', isPort(t.localPort)),
    check('port_mappings_remote_port', isPort(t.remotePort)),
    check('port_mappings_target_port', isPort(t.targetPort)),
    check(
      'port_mappings_kind',
      sql`case when ${t.sourceClientId} is null
        then ${t.protocol} in ('tcp', 'udp') and ${t.relayGroup} is not null and ${t.remotePort} is not null and ${t.localPort} is null and ${t.secretEncrypted} is null
        else ${t.relayGroup} is null and ${t.remotePort} is null and ${t.localPort} is not null and ${t.secretEncrypted} is not null end`,
    ),
    check(
      'port_mappings_target',
      sql`(${t.protocol} = 'socks5') = (${t.targetHost} is null) and (${t.protocol} = 'socks5') = (${t.targetPort} is null)`,
    ),
  ],
);

/** A host name that is bound to a target behind one or several clients. */
export const httpDomainMappings = pgTable(
  'http_domain_mappings',
  {
    id: int53().primaryKey().generatedAlwaysAsIdentity(),
    /** null: an anonymous client's. */
    userId: int53().references(() => users.userId),
    /** Team that shares it, always that of its clients; null: only its user's. */
    namespaceId: int53().references(() => namespaces.namespaceId),
    /** Lower-case ASCII. */
    fullDomain: text().notNull(),
    /** Both null for a custom domain. */
    subdomain: text(),
    baseDomain: text(),
    verificationState: text({ enum: VERIFICATION_STATES }).notNull(),
    /** Proves a custom domain when it stands in its DNS; null: there is nothing to prove. */
    proofToken: text(),
    verifiedAt: instant(),
    /** When a custom domain's proof was looked for last, and since when it is missing at a verified one. */
    proofCheckedAt: instant(),
    proofMissingSince: instant(),
    /** When it is looked for next; null: no more without being asked. */
    proofDueAt: instant().defaultNow(),
    /** Custom domains: what the last look at their DNS has found. */
    setup: jsonb(),
    /** When that is looked at next; null: it never was. */
    setupDueAt: instant(),
    targetScheme: text({ enum: TARGET_SCHEMES }).notNull().default('http'),
    targetHost: text().notNull(),
    targetPort: integer().notNull(),
    /** Replaces the visitor's Host header; null: kept. */
    hostHeader: text(),
    tlsMode: text({ enum: TLS_MODES }).notNull().default('terminate'),
    accessAllow: text()
      .array()
      .notNull()
      .default(sql`'{}'`),
    accessDeny: text()
      .array()
      .notNull()
      .default(sql`'{}'`),
    status: text({ enum: DOMAIN_STATUSES }).notNull().default('active'),
    totalBytesIn: int53().notNull().default(0),
    totalBytesOut: int53().notNull().default(0),
    totalConnections: int53().notNull().default(0),
    lastActiveAt: instant(),
    /** Ends with its anonymous client, or as a route with its time, … */
    expiresAt: instant(),
    /** … or when the agent that serves it is detached. */
    endsWithClient: boolean().notNull().default(false),
    /** It was attached when the route was made; otherwise the route waits for it. */
    madeAttached: boolean().notNull().default(false),
    rowVersion: rowVersion(),
    createdAt: instant().notNull().defaultNow(),
    updatedAt: instant().notNull().defaultNow(),
  },
  (t) => [
    // Unproved claims of several tenants may stand side by side; only one of them can become the name's owner.
    uniqueIndex('http_domain_mappings_verified')
      .on(t.fullDomain)
      .where(sql`${t.verificationState} = 'verified'`),
    uniqueIndex('http_domain_mappings_claim').on(t.fullDomain, t.userId),
    index('http_domain_mappings_user').on(t.userId, t.id),
    index('http_domain_mappings_namespace').on(t.namespaceId, t.id),
    index('http_domain_mappings_expires_at').on(t.expiresAt),
    index('http_domain_mappings_leaving')
      .on(t.id)
      .where(sql`${t.endsWithClient}`),
    index('http_domain_mappings_endpoint')
      .on(sql`"full_domain" collate "C"`)
      .where(sql`${t.verificationState} = 'verified'`),
    index('http_domain_mappings_user_endpoint')
      .on(t.userId, sql`"full_domain" collate "C"`)
      .where(sql`${t.verificationState} = 'verified'`),
    index('http_domain_mappings_namespace_endpoint')
      .on(t.namespaceId, sql`"full_domain" collate "C"`)
      .where(sql`${t.verificationState} = 'verified' and ${t.namespaceId} is not null`),
    index('http_domain_mappings_proofs')
      .on(t.proofDueAt)
      .where(sql`${t.proofToken} is not null`),
    index('http_domain_mappings_setup_due')
      .on(t.setupDueAt)
      .where(sql`${t.baseDomain} is null`),
    check('http_domain_mappings_verification_known', oneOf(t.verificationState, VERIFICATION_STATES)),
    check('http_domain_mappings_scheme_known', oneOf(t.targetScheme, TARGET_SCHEMES)),
    check('http_domain_mappings_tls_known', oneOf(t.tlsMode, TLS_MODES)),
    check('http_domain_mappings_status_known', oneOf(t.status, DOMAIN_STATUSES)),
    check('http_domain_mappings_target_port', isPort(t.targetPort)),
    check(
      'http_domain_mappings_name',
      sql`${t.fullDomain} = lower(${t.fullDomain}) and length(${t.fullDomain}) <= 253`,
    ),
    check('http_domain_mappings_kind', sql`(${t.subdomain} is null) = (${t.baseDomain} is null)`),
  ],
);

/** Clients that serve a mapping or a domain. */
export const endpointUpstreams = pgTable(
  'endpoint_upstreams',
  {
    id: int53().primaryKey().generatedAlwaysAsIdentity(),
    mappingId: int53().references(() => portMappings.mappingId, { onDelete: 'cascade' }),
    domainId: int53().references(() => httpDomainMappings.id, { onDelete: 'cascade' }),
    clientId: int53()
      .notNull()
      .references(() => clients.clientId),
    weight: integer().notNull().default(100),
    priority: integer().notNull().default(0),
  },
  (t) => [
    uniqueIndex('endpoint_upstreams_mapping').on(t.mappingId, t.clientId),
    uniqueIndex('endpoint_upstreams_domain').on(t.domainId, t.clientId),
    index('endpoint_upstreams_client').on(t.clientId),
    check('endpoint_upstreams_one_owner', sql`(${t.mappingId} is null) <> (${t.domainId} is null)`),
    check('endpoint_upstreams_range', sql`${t.weight} between 0 and 1000 and ${t.priority} between 0 and 1000`),
  ],
);

/** Names that nobody may take (`user_id` null), or only one user may take again, until `until` (null: for ever). */
export const reservedNames = pgTable(
  'reserved_names',
  {
    /** A label (reserved under every base domain) or a full host name. */
    name: text().primaryKey(),
    reason: text().notNull(),
    userId: int53().references(() => users.userId),
    until: instant(),
  },
  (t) => [index('reserved_names_until').on(t.until)],
);

/** Which bindings of a client changed with which version of its configuration: what an agent that comes back has missed. */
export const clientConfigChanges = pgTable(
  'client_config_changes',
  {
    clientId: int53()
      .notNull()
      .references(() => clients.clientId, { onDelete: 'cascade' }),
    configVersion: int53().notNull(),
    bindingId: text().notNull(),
    createdAt: instant().notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.clientId, t.configVersion, t.bindingId] }),
    index('client_config_changes_created_at').on(t.createdAt),
  ],
);
