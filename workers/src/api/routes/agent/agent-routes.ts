import { agentSessionRequestSchema } from '@tunnox/domain/agent-api';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { type Context, Hono } from 'hono';
import { z } from 'zod';
import type { AgentSessionService } from '../../../services/agent-session-service.ts';
import type { Authenticator } from '../../../services/authenticator.ts';
import type { Caller } from '../../../services/principal.ts';
import { parseBody, parseValue } from '../../parse-body.ts';

export interface AgentRouteServices {
  sessions: AgentSessionService;
  authenticator: Authenticator;
  requestId: (c: Context) => string;
}

export interface AgentRouteOptions {
  /** Header in which the platform (or a trusted proxy, which overwrites it) gives the address of who asks. */
  addressHeader: string;
}

const configQuerySchema = z.object({
  since: z.coerce.number().int().min(-1).default(-1),
  /** `1`: the agent takes what has changed since, in place of the whole. */
  delta: z.enum(['0', '1']).default('0'),
});

/** `/agent/v1`: what agents ask of the control plane (docs/PROTOCOL.md). */
export function agentRoutes(services: AgentRouteServices, options: AgentRouteOptions): Hono {
  const { sessions, authenticator, requestId } = services;
  const callerOf = async (c: Context): Promise<Caller | null> => {
    const authorization = c.req.header('authorization');
    if (authorization === undefined) return null;
    return { principal: await authenticator.authenticate(authorization), requestId: requestId(c) };
  };

  return new Hono()
    .post('/session', async (c) => {
      const caller = await callerOf(c);
      const address = c.req.header(options.addressHeader) ?? null;
      const request = await parseBody(c.req.raw, agentSessionRequestSchema);
      return c.json(await sessions.open(request, { caller, requestId: requestId(c), address }));
    })
    .get('/config', async (c) => {
      const caller = await callerOf(c);
      if (caller?.principal.role !== 'client') {
        throw new TunnoxError('unauthenticated', "Send the client's access token in Authorization: Bearer …");
      }
      const { since, delta } = parseValue(c.req.query(), configQuerySchema);
      const config = await sessions.config(caller.principal.clientId, since, delta === '1');
      return config === null ? c.body(null, 204) : c.json(config);
    });
}
