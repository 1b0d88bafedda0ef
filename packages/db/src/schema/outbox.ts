import { sql } from 'drizzle-orm';
import { boolean, check, index, integer, jsonb, pgTable, primaryKey, text } from 'drizzle-orm/pg-core';
import { instant, int53, oneOf } from './columns.ts';

export const OUTBOX_KINDS = ['binding_changed', 'client_changed'] as const;
export const CLIENT_CHANGES = [
  'created',
  'updated',
  'disabled',
  'enabled',
  'deleted',
  'claimed',
  'rotated',
  'limits',
  'disconnected',
] as const;
export const ACTOR_TYPES = ['operator', 'user', 'client', 'system'] as const;

/**
 * Changes that must reach Durable Objects and relays. A row is written in the statement or transaction of the change
 * itself; whoever delivers it is repeated until it works, and every consumer is idempotent by version.
 */
export const outbox = pgTable(
  'outbox',
  {
    id: int53().primaryKey().generatedAlwaysAsIdentity(),
    kind: text({ enum: OUTBOX_KINDS }).notNull(),
    /** `mapping:1001`, `domain:17`; null for `client_changed`. */
    bindingId: text(),
    /** Host name or `tcp:{group}:{port}`; null for private mappings and `client_changed`. */
    endpoint: text(),
    /** Version of the binding (after a delete: higher than the row's last), or of the client's configuration. */
    version: int53().notNull(),
    /** The binding is gone, or no longer at this endpoint. */
    deleted: boolean().notNull().default(false),
    /** Every client whose agent or relay must hear of it. */
    clientIds: int53().array().notNull(),
    /** What happened to the client; null for `binding_changed`. */
    change: text({ enum: CLIENT_CHANGES }),
    createdAt: instant().notNull().defaultNow(),
    claimedAt: instant(),
    deliveredAt: instant(),
    attempts: integer().notNull().default(0),
  },
  (t) => [
    index('outbox_waiting')
      .on(t.id)
      .where(sql`${t.deliveredAt} is null`),
    index('outbox_delivered_at').on(t.deliveredAt),
    check('outbox_kind_known', oneOf(t.kind, OUTBOX_KINDS)),
    check('outbox_change_known', oneOf(t.change, CLIENT_CHANGES)),
    check(
      'outbox_shape',
      sql`case ${t.kind} when 'binding_changed' then ${t.bindingId} is not null and ${t.change} is null else ${t.bindingId} is null and ${t.change} is not null end`,
    ),
  ],
);

/** First answers of requests with an `Idempotency-Key`, kept for 24 hours. */
export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    /** Who asks, such as `user:100000001`: keys of two tenants never meet. */
    principal: text().notNull(),
    key: text().notNull(),
    /** SHA-256 of method, path and body: the same key with another request is refused. */
    requestHash: text().notNull(),
    /** Status and encrypted body of the first answer; null while it is being made. */
    status: integer(),
    bodyEncrypted: text(),
    createdAt: instant().notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.principal, t.key] }), index('idempotency_keys_created_at').on(t.createdAt)],
);

export const auditLog = pgTable(
  'audit_log',
  {
    id: int53().primaryKey().generatedAlwaysAsIdentity(),
    at: instant().notNull().defaultNow(),
    actorType: text({ enum: ACTOR_TYPES }).notNull(),
    /** User or client id; null for operators and the system. */
    actorId: int53(),
    /** Tenant that is concerned; null: nobody's. */
    userId: int53(),
    /** Such as `domain.create`. */
    action: text().notNull(),
    objectType: text().notNull(),
    objectId: text().notNull(),
    before: jsonb(),
    after: jsonb(),
    requestId: text(),
  },
  (t) => [
    index('audit_log_user').on(t.userId, t.id),
    index('audit_log_at').on(t.at),
    index('audit_log_object').on(t.objectType, t.objectId, t.id),
    index('audit_log_request').on(t.requestId),
    check('audit_log_actor_known', oneOf(t.actorType, ACTOR_TYPES)),
  ],
);
