import { endpointSchema } from '@tunnox/domain/binding';
import { ulidSchema } from '@tunnox/domain/presence';
import {
  attachRequestSchema,
  connectionsRequestSchema,
  detachRequestSchema,
  registerRequestSchema,
  usageRequestSchema,
  type WithdrawAnswer,
} from '@tunnox/domain/relay-api';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { Hono } from 'hono';
import { z } from 'zod';
import type { Lookup } from '../../../lookup/lookup.ts';
import type { AttachmentService } from '../../../services/attachment-service.ts';
import type { CertificateService } from '../../../services/certificate-service.ts';
import type { ConnectionService } from '../../../services/connection-service.ts';
import type { RelayRegistrationService } from '../../../services/relay-registration-service.ts';
import type { SessionOpener } from '../../../services/live-ports.ts';
import type { UsageService } from '../../../services/usage-service.ts';
import type { SigningKeys } from '../../../tickets/signing-keys.ts';
import type { RelayIdentity } from '../../../tickets/relay-tokens.ts';
import { bearerToken } from '../../bearer.ts';
import { parseBody, parseValue } from '../../parse-body.ts';

export interface RelayRouteServices {
  registration: RelayRegistrationService;
  attachments: AttachmentService;
  lookup: Lookup;
  sessions: SessionOpener;
  withdrawals: { withdraw(relay: RelayIdentity): Promise<'gone' | 'none' | 'pending'> };
  usage: UsageService;
  connections: ConnectionService;
  certificates: Pick<CertificateService, 'answerChallenge' | 'deliver'>;
  keys: Pick<SigningKeys, 'jwks'>;
}

const sessionQuerySchema = z.object({
  incarnation: ulidSchema,
  last_seq: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(0),
});

const certificatesQuerySchema = z.object({
  since: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(0),
});

const challengeQuerySchema = z.object({
  token: z.string().regex(/^[A-Za-z0-9_-]{16,128}$/),
  host: z.string().min(1).max(253),
});

const lookupQuerySchema = z.object({ endpoint: endpointSchema });

/** `/relay/v1`: what relays ask of the control plane (docs/PROTOCOL.md). */
export function relayRoutes(services: RelayRouteServices): Hono {
  const { registration, attachments, lookup, sessions, withdrawals, usage, connections, certificates, keys } = services;
  const relayOf = (request: Request) => registration.authenticate(bearerToken(request));

  return new Hono()
    .post('/register', async (c) => {
      return c.json(await registration.register(await parseBody(c.req.raw, registerRequestSchema)));
    })
    .get('/session', async (c) => {
      const relay = await relayOf(c.req.raw);
      if (c.req.header('upgrade')?.toLowerCase() !== 'websocket') {
        throw new TunnoxError('protocol_unsupported', 'The session is a WebSocket: send Upgrade: websocket');
      }
      const { incarnation, last_seq } = parseValue(c.req.query(), sessionQuerySchema);
      if (incarnation !== relay.incarnation) {
        throw new TunnoxError('unauthenticated', 'The token belongs to another incarnation');
      }
      return sessions.openSession(c.req.raw, relay.nodeId, incarnation, last_seq);
    })
    .post('/attach', async (c) => {
      const relay = await relayOf(c.req.raw);
      return c.json(await attachments.attach(relay, await parseBody(c.req.raw, attachRequestSchema)));
    })
    .post('/detach', async (c) => {
      const relay = await relayOf(c.req.raw);
      await attachments.detach(relay, await parseBody(c.req.raw, detachRequestSchema));
      return c.body(null, 204);
    })
    .get('/lookup', async (c) => {
      await registration.authenticateReader(bearerToken(c.req.raw));
      const { endpoint } = parseValue(c.req.query(), lookupQuerySchema);
      return c.json(await lookup(endpoint.toLowerCase()));
    })
    .post('/usage', async (c) => {
      const relay = await relayOf(c.req.raw);
      const report = await parseBody(c.req.raw, usageRequestSchema);
      return c.json(await usage.report(relay, report));
    })
    .post('/connections', async (c) => {
      const { nodeId } = await relayOf(c.req.raw);
      await connections.add(nodeId, await parseBody(c.req.raw, connectionsRequestSchema));
      return c.body(null, 204);
    })
    .post('/withdraw', async (c) => {
      const relay = await relayOf(c.req.raw);
      return c.json({ dns: await withdrawals.withdraw(relay) } satisfies WithdrawAnswer);
    })
    .get('/keys', async (c) => {
      await relayOf(c.req.raw);
      return c.json(await keys.jwks('ticket'));
    })
    .get('/certificates', async (c) => {
      await relayOf(c.req.raw);
      const { since } = parseValue(c.req.query(), certificatesQuerySchema);
      return c.json(await certificates.deliver(since), 200, { 'cache-control': 'no-store' });
    })
    .get('/acme-challenge', async (c) => {
      await registration.authenticateReader(bearerToken(c.req.raw));
      const { token, host } = parseValue(c.req.query(), challengeQuerySchema);
      return c.json(await certificates.answerChallenge(token, host.toLowerCase()));
    })
    .get('/peers', async (c) => {
      const relay = await relayOf(c.req.raw);
      return c.json({ peers: await registration.peers(relay) });
    });
}
