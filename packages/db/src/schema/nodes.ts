import { sql } from 'drizzle-orm';
import { check, doublePrecision, index, integer, jsonb, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core';
import { instant, int53, isPort, oneOf } from './columns.ts';

export const NODE_TYPES = ['relay', 'center', 'edge'] as const;
export const NODE_STATUSES = ['starting', 'online', 'draining', 'offline'] as const;
export const SIGNING_KEY_PURPOSES = ['ticket', 'access', 'relay', 'session'] as const;
export const SIGNING_ALGORITHMS = ['ES256', 'RS256', 'HS256'] as const;
export const SIGNING_KEY_STATES = ['active', 'retired'] as const;

/** Relays as the management API shows them; their leases belong to the Durable Objects. */
export const relayNodes = pgTable(
  'relay_nodes',
  {
    /** `node-001` … `node-1000`. */
    nodeId: text().primaryKey(),
    type: text({ enum: NODE_TYPES }).notNull().default('relay'),
    /** SHA-256 of the node key's SubjectPublicKeyInfo, lower-case hex. */
    fingerprint: text().notNull(),
    /** ULID of the running process. */
    incarnation: text().notNull(),
    relayGroup: text().notNull(),
    region: text().notNull(),
    publicAddress: text().notNull(),
    internalAddress: text().notNull(),
    /** Where visitors reach it by IPv4 and by IPv6, canonical; both null: only a name is known, no record is made of it. */
    publicIpv4: text(),
    publicIpv6: text(),
    agentTcpPort: integer().notNull(),
    agentWsPort: integer().notNull(),
    httpPort: integer().notNull(),
    httpsPort: integer().notNull(),
    bridgePort: integer().notNull(),
    metricsPort: integer().notNull(),
    /** Pool of public ports, both ends included. */
    publicFrom: integer().notNull(),
    publicTo: integer().notNull(),
    version: text().notNull(),
    status: text({ enum: NODE_STATUSES }).notNull(),
    clients: integer().notNull().default(0),
    tunnels: integer().notNull().default(0),
    /** 0 to 1. */
    cpu: doublePrecision().notNull().default(0),
    memoryBytes: int53().notNull().default(0),
    bandwidthBytesPerS: doublePrecision().notNull().default(0),
    lastHeartbeatAt: instant().notNull().defaultNow(),
    /** When it stopped being online last, in whatever way. */
    leftAt: instant(),
    /** Since when it is gone without a word; null: it lives, or it has said that it goes. */
    lostAt: instant(),
    /** Start of the incarnation. */
    startedAt: instant().notNull().defaultNow(),
    createdAt: instant().notNull().defaultNow(),
  },
  (t) => [
    uniqueIndex('relay_nodes_fingerprint').on(t.fingerprint),
    index('relay_nodes_group').on(t.relayGroup, t.nodeId),
    check('relay_nodes_id', sql`${t.nodeId} ~ '^node-([0-9]{3}|1000)$'`),
    check('relay_nodes_type_known', oneOf(t.type, NODE_TYPES)),
    check('relay_nodes_status_known', oneOf(t.status, NODE_STATUSES)),
    check(
      'relay_nodes_pool',
      sql`${t.publicFrom} <= ${t.publicTo} and ${isPort(t.publicFrom)} and ${isPort(t.publicTo)}`,
    ),
  ],
);

/** Tokens with which new relays join a group. */
export const joinTokens = pgTable(
  'join_tokens',
  {
    id: int53().primaryKey().generatedAlwaysAsIdentity(),
    name: text().notNull().default(''),
    /** SHA-256 of the token, lower-case hex. */
    hash: text().notNull().unique(),
    relayGroup: text().notNull(),
    /** null: as often as one likes. */
    usesLeft: integer(),
    expiresAt: instant(),
    revokedAt: instant(),
    createdAt: instant().notNull().defaultNow(),
  },
  (t) => [check('join_tokens_uses_left', sql`${t.usesLeft} >= 0`)],
);

/** Keys with which the control plane signs; a retired one still verifies until `expires_at`. */
export const signingKeys = pgTable(
  'signing_keys',
  {
    kid: text().primaryKey(),
    purpose: text({ enum: SIGNING_KEY_PURPOSES }).notNull(),
    algorithm: text({ enum: SIGNING_ALGORITHMS }).notNull().default('ES256'),
    /** null: HS256, whose one key is secret. */
    publicJwk: jsonb(),
    privateKeyEncrypted: text().notNull(),
    state: text({ enum: SIGNING_KEY_STATES }).notNull().default('active'),
    createdAt: instant().notNull().defaultNow(),
    expiresAt: instant(),
  },
  (t) => [
    // One key signs for a purpose at a time, also when two Workers start on an empty table.
    uniqueIndex('signing_keys_active')
      .on(t.purpose)
      .where(sql`${t.state} = 'active'`),
    check('signing_keys_algorithm_known', oneOf(t.algorithm, SIGNING_ALGORITHMS)),
    check('signing_keys_public', sql`(${t.algorithm} = 'HS256') = (${t.publicJwk} is null)`),
    check('signing_keys_purpose_known', oneOf(t.purpose, SIGNING_KEY_PURPOSES)),
    check('signing_keys_state_known', oneOf(t.state, SIGNING_KEY_STATES)),
  ],
);
