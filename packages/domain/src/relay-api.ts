import { z } from 'zod';
import { bindingIdSchema } from './binding.ts';
import { clientPolicySchema } from './policy.ts';
import { nodeAddressSchema, nodeIdSchema, ulidSchema } from './presence.ts';

const portSchema = z.int().min(1).max(65_535);

/** Text that stands in a row and in a log line. */
const lineSchema = z.string().regex(/^\P{Cc}*$/u, 'must not have control characters');

/** Public half of a key as JWK (RFC 7517); only EC P-256 is used. */
export const ecPublicJwkSchema = z.object({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: z.string().min(1).max(64),
  y: z.string().min(1).max(64),
  kid: z.string().optional(),
  alg: z.string().optional(),
  use: z.string().optional(),
});

export const jwksSchema = z.object({ keys: z.array(ecPublicJwkSchema) });

/** Body of `POST /relay/v1/register`. */
export const registerRequestSchema = z.object({
  public_jwk: ecPublicJwkSchema,
  /**
   * JWT (ES256) signed with the node key: `aud` `tunnox-register`, `iat`, `jti`. More than five minutes of clock
   * difference is answered with `clock_skew`; a `jti` counts once.
   */
  assertion: z.string().max(4096),
  /** Needed by a key that is not yet registered. */
  join_token: z.string().max(256).optional(),
  /**
   * Incarnation that this process holds already: the call only renews its token. Absent at a start: a new incarnation
   * begins. When another incarnation has taken the node meanwhile, the answer is 401.
   */
  incarnation: ulidSchema.optional(),
  region: lineSchema.max(32).default('default'),
  /** Address under which visitors and agents reach this relay. */
  public_address: lineSchema.min(1).max(255),
  /** Where visitors reach it, for DNS records; absent: `public_address`, if it is an address. */
  public_ipv4: z.ipv4().optional(),
  public_ipv6: z.ipv6().optional(),
  /** Address for other relays; the public one if absent. */
  internal_address: lineSchema.min(1).max(255).optional(),
  ports: z
    .object({
      agent_tcp: portSchema,
      agent_ws: portSchema,
      http: portSchema,
      https: portSchema,
      bridge: portSchema,
      metrics: portSchema,
      /** Pool of public TCP and UDP ports, both ends included. */
      public_from: portSchema,
      public_to: portSchema,
    })
    .refine((ports) => ports.public_from <= ports.public_to, {
      message: 'must not be below public_from',
      path: ['public_to'],
    }),
  version: lineSchema.max(64),
});

export const registerAnswerSchema = z.object({
  node_id: nodeIdSchema,
  incarnation: ulidSchema,
  group: z.string(),
  /** Bearer token for every other /relay/v1 call, bound to node and incarnation. */
  token: z.string(),
  token_expires_at: z.iso.datetime(),
  lease_ms: z.int(),
  base_domains: z.array(z.string()),
  ticket_keys: jwksSchema,
  peers: z.array(nodeAddressSchema),
});

const attachedClientSchema = z.object({
  client_id: z.int(),
  instance_id: ulidSchema,
  connect_seq: z.int().min(1),
});

/**
 * Answer of `POST /relay/v1/withdraw`, by which a relay that goes asks for its DNS records to be gone first. `dns`: `gone`,
 * `none` (there were none), or `pending` (the provider did not confirm it in time).
 */
export const withdrawAnswerSchema = z.object({ dns: z.enum(['gone', 'none', 'pending']) });

/** Answer of `GET /relay/v1/peers`: every other relay that is registered. */
export const peersAnswerSchema = z.object({ peers: z.array(nodeAddressSchema) });

/** Body of `POST /relay/v1/attach`: 100 clients at most. */
export const attachRequestSchema = z.object({
  clients: z
    .array(
      attachedClientSchema.extend({
        generation: z.int().min(1),
        /** `attach`: the agent has just connected; `announce`: it is still here (after a lost lease), never outbids. */
        mode: z.enum(['attach', 'announce']),
      }),
    )
    .max(100),
});

/** Why a client may not (or no longer) be attached. */
export const closeCodeSchema = z.enum(['replaced', 'disabled', 'deleted', 'claimed', 'stale_ticket', 'disconnected']);

export const attachAnswerSchema = z.object({
  results: z.array(
    z.discriminatedUnion('outcome', [
      z.object({ client_id: z.int(), outcome: z.literal('accepted'), policy: clientPolicySchema }),
      z.object({ client_id: z.int(), outcome: z.literal('refused'), code: closeCodeSchema, message: z.string() }),
    ]),
  ),
});

export const detachRequestSchema = z.object({ clients: z.array(attachedClientSchema).max(100) });

/** Body of `POST /relay/v1/usage`: counts since the last report, applied once for each (incarnation, sequence). */
export const usageRequestSchema = z.object({
  incarnation: ulidSchema,
  sequence: z.int().min(1),
  /** When the entries were taken, and for how long they were counted; absent (relays of 0.1): now, a minute. */
  taken_at: z.iso.datetime().optional(),
  interval_ms: z.int().min(1).optional(),
  entries: z
    .array(
      z.object({
        binding_id: bindingIdSchema,
        client_id: z.int(),
        user_id: z.int().nullable(),
        /** Visitor → target. */
        bytes_in: z.int().min(0),
        /** Target → visitor. */
        bytes_out: z.int().min(0),
        connections: z.int().min(0),
      }),
    )
    .max(1000),
  /** How fast users were who have only a share of their bandwidth limit here: their shares follow it. */
  shared: z
    .array(z.object({ user_id: z.int(), bytes_per_s: z.number().min(0) }))
    .max(1000)
    .optional(),
  /** Users and anonymous clients that are cut off: what is left to them is asked though nothing was counted. */
  asking: z.object({ user_ids: z.array(z.int()).max(1000), client_ids: z.array(z.int()).max(1000) }).optional(),
});

export const usageAnswerSchema = z.object({
  allowances: z.array(z.object({ user_id: z.int(), traffic_remaining_bytes: z.int().nullable() })),
  /** Of anonymous clients; absent: a control plane of an earlier version. */
  client_allowances: z.array(z.object({ client_id: z.int(), traffic_remaining_bytes: z.int().nullable() })).optional(),
});

/** Body of `POST /relay/v1/connections`: tunnels to agents of this relay that have ended, each kept once by its id. */
export const connectionsRequestSchema = z.object({
  connections: z
    .array(
      z.object({
        tunnel_id: ulidSchema,
        binding_id: bindingIdSchema,
        client_id: z.int(),
        user_id: z.int().nullable(),
        /** Address without port; `client:600000001` is the source agent of a private mapping. */
        visitor: lineSchema.min(1).max(64),
        started_at: z.iso.datetime(),
        duration_ms: z.int().min(0),
        /** Visitor → target. */
        bytes_in: z.int().min(0),
        /** Target → visitor. */
        bytes_out: z.int().min(0),
        /** `closed`, or the cause that ended it. */
        close_reason: z.string().regex(/^[a-z][a-z0-9_]{0,31}$/),
      }),
    )
    .max(500),
});

/**
 * Answer of `GET /relay/v1/certificates?since=`: what has changed since then, some of it perhaps once more. `more`: the
 * next page begins at `version`, now. A row without `chain` is gone.
 */
export const certificatesAnswerSchema = z.object({
  version: z.int(),
  more: z.boolean(),
  certificates: z
    .array(
      z.object({
        certificate_id: z.int(),
        version: z.int(),
        names: z.array(z.string().max(253)).max(100),
        /** PEM: the certificate and what leads to its authority; null: it is gone, and `key` too. */
        chain: z
          .string()
          .max(256 * 1024)
          .nullable(),
        /** PEM, PKCS #8; null beside a chain: it cannot be read now, and what a relay has of it stays. */
        key: z
          .string()
          .max(16 * 1024)
          .nullable(),
      }),
    )
    .max(1000),
});

/** Answer of `GET /relay/v1/acme-challenge?token=&host=`; null: nobody of ours waits for it. */
export const acmeChallengeAnswerSchema = z.object({ key_authorization: z.string().max(1024).nullable() });

/** Messages of the control plane on the session WebSocket. All but `resync` carry a `seq` and are acknowledged. */
export const nodeMessageSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('policy'), seq: z.int(), policy: clientPolicySchema }),
  z.object({
    type: z.literal('close_client'),
    seq: z.int(),
    client_id: z.int(),
    /** Only this instance; null: whichever is attached. */
    instance_id: ulidSchema.nullable(),
    /** With an instance: only its connects up to this one; null: any. */
    connect_seq: z.int().nullable(),
    code: closeCodeSchema,
    message: z.string(),
  }),
  /** Sent to every relay: tickets of the client of a lower generation count no more, neither to serve nor to visit. */
  z.object({
    type: z.literal('void_tickets'),
    seq: z.int(),
    client_id: z.int(),
    below_generation: z.int().min(1),
    code: closeCodeSchema,
    message: z.string(),
  }),
  z.object({ type: z.literal('peers'), seq: z.int(), peers: z.array(nodeAddressSchema) }),
  z.object({ type: z.literal('keys'), seq: z.int(), ticket_keys: jwksSchema }),
  /** Sent to every relay: certificates up to this version are to be fetched. Relays of 0.1 pass over it. */
  z.object({ type: z.literal('certificates'), seq: z.int(), version: z.int() }),
  z.object({ type: z.literal('drain'), seq: z.int(), deadline_ms: z.int() }),
  /** A newer incarnation of this node is registered: stop. */
  z.object({ type: z.literal('superseded'), seq: z.int() }),
  /** Messages were lost: announce every attached client again. */
  z.object({ type: z.literal('resync') }),
]);

/** Messages of a relay on the session WebSocket. `ping` and `pong` are bare text frames, answered without waking. */
export const relayMessageSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ack'), seq: z.int() }),
  z.object({
    type: z.literal('config_applied'),
    client_id: z.int(),
    version: z.int(),
    problems: z.array(z.object({ binding_id: z.string(), code: z.string(), message: z.string().max(500) })).max(1000),
  }),
  z.object({
    type: z.literal('load'),
    clients: z.int(),
    tunnels: z.int(),
    /** 0 to 1. */
    cpu: z.number(),
    memory_bytes: z.int(),
    bandwidth_bytes_per_s: z.number(),
  }),
  z.object({ type: z.literal('draining') }),
  z.object({ type: z.literal('leaving') }),
]);

export type RegisterRequest = z.infer<typeof registerRequestSchema>;
export type RegisterAnswer = z.infer<typeof registerAnswerSchema>;
export type AttachRequest = z.infer<typeof attachRequestSchema>;
export type AttachAnswer = z.infer<typeof attachAnswerSchema>;
export type DetachRequest = z.infer<typeof detachRequestSchema>;
export type WithdrawAnswer = z.infer<typeof withdrawAnswerSchema>;
export type UsageRequest = z.infer<typeof usageRequestSchema>;
export type ConnectionsRequest = z.infer<typeof connectionsRequestSchema>;
export type UsageAnswer = z.infer<typeof usageAnswerSchema>;
export type CertificatesAnswer = z.infer<typeof certificatesAnswerSchema>;
export type DeliveredCertificate = CertificatesAnswer['certificates'][number];
export type AcmeChallengeAnswer = z.infer<typeof acmeChallengeAnswerSchema>;
export type NodeMessage = z.infer<typeof nodeMessageSchema>;
export type RelayToNodeMessage = z.infer<typeof relayMessageSchema>;
export type CloseCode = z.infer<typeof closeCodeSchema>;
export type EcPublicJwk = z.infer<typeof ecPublicJwkSchema>;
export type Jwks = z.infer<typeof jwksSchema>;
