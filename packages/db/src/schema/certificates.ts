import { sql } from 'drizzle-orm';
import { check, index, integer, jsonb, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core';
import { instant, int53, oneOf } from './columns.ts';
import { httpDomainMappings } from './mappings.ts';

export const CERTIFICATE_STATES = ['pending', 'ordering', 'validating', 'finalizing', 'active', 'error'] as const;
export const CHALLENGE_TYPES = ['dns-01', 'http-01'] as const;

/** Accounts at certificate authorities, one for each directory. */
export const acmeAccounts = pgTable('acme_accounts', {
  directoryUrl: text().primaryKey(),
  /** URL of the account; null: not yet made. */
  accountUrl: text(),
  /** Private JWK, encrypted. */
  keyEncrypted: text().notNull(),
  /** The authority has asked to begin no order before. */
  blockedUntil: instant(),
  createdAt: instant().notNull().defaultNow(),
});

/** A certificate that is held or being obtained. */
export const certificates = pgTable(
  'certificates',
  {
    certificateId: int53().primaryKey().generatedAlwaysAsIdentity(),
    /** Names in normal form, sorted; `*.example.com` for a base domain's. */
    names: text().array().notNull(),
    /** Custom domain that it is for; it and `baseDomain` null: it is for nothing any more, and goes. */
    domainId: int53().references(() => httpDomainMappings.id, { onDelete: 'set null' }),
    /** Base domain that it is for. */
    baseDomain: text(),
    /** Nothing is served with it any more; the row stays until every relay has heard of it. */
    removedAt: instant(),
    state: text({ enum: CERTIFICATE_STATES }).notNull().default('pending'),
    challenge: text({ enum: CHALLENGE_TYPES }).notNull(),
    /** Order, authorizations and challenges as far as they are, so that any Worker goes on with them. */
    orderState: jsonb(),
    /** Key of a running order, encrypted PKCS #8. */
    nextKeyEncrypted: text(),
    /** What is served: PEM chain, and its key encrypted. */
    chain: text(),
    keyEncrypted: text(),
    notBefore: instant(),
    notAfter: instant(),
    /** When it is worked on next: a step, a retry, the renewal. */
    nextAttemptAt: instant().defaultNow(),
    retryCount: integer().notNull().default(0),
    lastError: text(),
    leaseHolder: text(),
    leaseUntil: instant(),
    /** From the sequence of bindings' versions: relays ask for what is newer. */
    rowVersion: int53()
      .notNull()
      .default(sql`nextval('row_version_seq')`),
    createdAt: instant().notNull().defaultNow(),
    updatedAt: instant().notNull().defaultNow(),
  },
  (t) => [
    uniqueIndex('certificates_names').on(t.names),
    index('certificates_due')
      .on(t.nextAttemptAt)
      .where(sql`${t.nextAttemptAt} is not null`),
    index('certificates_version').on(t.rowVersion),
    index('certificates_domain').on(t.domainId),
    check('certificates_state_known', oneOf(t.state, CERTIFICATE_STATES)),
    check('certificates_challenge_known', oneOf(t.challenge, CHALLENGE_TYPES)),
    check('certificates_names_some', sql`cardinality(${t.names}) between 1 and 100`),
    check('certificates_one_owner', sql`${t.domainId} is null or ${t.baseDomain} is null`),
    check(
      'certificates_removed_empty',
      sql`${t.removedAt} is null or (${t.chain} is null and ${t.keyEncrypted} is null)`,
    ),
  ],
);

/** Orders that were begun: what the limits of authorities are kept by. */
export const certificateOrders = pgTable(
  'certificate_orders',
  {
    orderId: int53().primaryKey().generatedAlwaysAsIdentity(),
    certificateId: int53().notNull(),
    /** Tenant whose domain it is for; null: a base domain's. */
    userId: int53(),
    names: text().array().notNull(),
    orderedAt: instant().notNull().defaultNow(),
    /** null: it has not led to a certificate. */
    issuedAt: instant(),
  },
  (t) => [
    index('certificate_orders_ordered_at').on(t.orderedAt),
    index('certificate_orders_user').on(t.userId, t.orderedAt),
    index('certificate_orders_names').on(t.names, t.orderedAt),
    index('certificate_orders_certificate').on(t.certificateId, t.orderId),
  ],
);

/** What relays answer under `/.well-known/acme-challenge/`. */
export const acmeHttpTokens = pgTable(
  'acme_http_tokens',
  {
    token: text().primaryKey(),
    certificateId: int53()
      .notNull()
      .references(() => certificates.certificateId, { onDelete: 'cascade' }),
    keyAuthorization: text().notNull(),
    host: text().notNull(),
    expiresAt: instant().notNull(),
  },
  (t) => [
    index('acme_http_tokens_expires_at').on(t.expiresAt),
    index('acme_http_tokens_certificate').on(t.certificateId),
  ],
);
