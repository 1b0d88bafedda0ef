import { timingSafeEqual } from 'node:crypto';
import type { AgentSession, AgentSessionRequest } from '@tunnox/domain/agent-api';
import type { AgentConfig } from '@tunnox/domain/agent-config';
import { ANONYMOUS_CLIENT_ID_MAX, ANONYMOUS_CLIENT_ID_MIN } from '@tunnox/domain/ids';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import type { ClientTokens } from '../tickets/client-tokens.ts';
import { type ClientService, newAuthCode } from './client-service.ts';
import type { AnonymousRepository, RelayNodeRepository } from './live-ports.ts';
import { networkOf } from './network-of.ts';
import { orderRelays } from './order-relays.ts';
import type { ClientStanding, PolicyRepository } from './ports.ts';
import { type Caller, notFound } from './principal.ts';
import { randomInteger, sha256Hex } from './random.ts';

export interface AgentSessionDeps {
  policies: PolicyRepository;
  clients: Pick<ClientService, 'create'>;
  anonymous: AnonymousRepository;
  nodes: Pick<RelayNodeRepository, 'forAgents'>;
  tokens: ClientTokens;
}

export interface AgentSessionOptions {
  baseDomain: string;
  publicHttpUrl: string;
  publicHttpsUrl: string;
}

/** Where an agent's request comes from. */
export interface AgentOrigin {
  /** Whose API key it bears; null: it bears none. */
  caller: Caller | null;
  requestId: string;
  /** Address as the trusted proxy gives it; null: unknown. */
  address: string | null;
}

const RELAY_GROUP = 'default';
const ANONYMOUS_LIFE_S = 24 * 3600;
const ANONYMOUS_PER_HOUR = 20;

/** Of a hundred million ids few are in use: a second try hardly ever follows. */
const ID_TRIES_MAX = 10;

/** Agents trade their lasting credential for a ticket, an access token, relays and a configuration. */
export class AgentSessionService {
  readonly #deps: AgentSessionDeps;
  readonly #options: AgentSessionOptions;

  constructor(deps: AgentSessionDeps, options: AgentSessionOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /**
   * @throws {TunnoxError} `unauthenticated`, `forbidden`, `not_found`, `client_disabled`, `client_claimed`,
   *   `quota_exceeded`, `rate_limited`
   */
  async open(request: AgentSessionRequest, origin: AgentOrigin): Promise<AgentSession> {
    const { clientId, authCode } = await this.#identify(request, origin);
    return this.#answer(await this.#activeStanding(clientId), authCode);
  }

  /** The configuration of the agent itself; null when nothing is newer than `since`. */
  async config(clientId: number, since: number): Promise<AgentConfig | null> {
    const config = await this.#deps.policies.loadAgentConfig(clientId);
    if (config === null) throw new TunnoxError('unauthenticated', 'The client may no longer be used');
    return config.version > since ? config : null;
  }

  /** `authCode`: of a client that was made now. */
  async #identify(
    request: AgentSessionRequest,
    origin: AgentOrigin,
  ): Promise<{ clientId: number; authCode: string | null }> {
    const { client_id, auth_code } = request;
    if (origin.caller !== null) return this.#byApiKey(origin.caller, request);
    if (client_id === undefined && auth_code === undefined) return this.#makeAnonymous(request, origin);
    if (client_id === undefined || auth_code === undefined) {
      throw new TunnoxError('invalid', 'client_id and auth_code go together');
    }
    const standing = await this.#standing(client_id);
    const matches = equal(await sha256Hex(auth_code), standing?.authCodeHash ?? (await sha256Hex('')));
    if (standing === null || !matches) {
      throw new TunnoxError('unauthenticated', 'The client id or its code is not valid, or its time has ended');
    }
    return { clientId: client_id, authCode: null };
  }

  async #byApiKey(
    caller: Caller,
    request: AgentSessionRequest,
  ): Promise<{ clientId: number; authCode: string | null }> {
    const { principal } = caller;
    if (principal.role !== 'user') throw new TunnoxError('forbidden', "Use a user's API key for agents");
    if (!principal.scopes.includes('write')) throw new TunnoxError('forbidden', 'The API key allows only to read');
    if (request.client_id === undefined) {
      const client_name = request.client_name ?? 'agent';
      const made = await this.#deps.clients.create(caller, { client_name, client_desc: '' });
      return { clientId: made.client_id, authCode: made.auth_code };
    }
    const standing = await this.#standing(request.client_id);
    if (standing?.userId !== principal.userId) throw notFound('client', request.client_id);
    return { clientId: request.client_id, authCode: null };
  }

  async #makeAnonymous(
    request: AgentSessionRequest,
    origin: AgentOrigin,
  ): Promise<{ clientId: number; authCode: string }> {
    const authCode = newAuthCode();
    const network = origin.address === null ? null : networkOf(origin.address);
    const client = {
      name: request.client_name ?? 'anonymous',
      authCodeHash: await sha256Hex(authCode),
      lifeS: ANONYMOUS_LIFE_S,
      network,
      perHourMax: ANONYMOUS_PER_HOUR,
    };
    const { requestId } = origin;
    const after = { name: client.name, network };
    const audit = {
      actorType: 'system',
      actorId: null,
      requestId,
      action: 'client.create',
      before: null,
      after,
    } as const;
    for (let tries = 0; tries < ID_TRIES_MAX; tries += 1) {
      const clientId = ANONYMOUS_CLIENT_ID_MIN + randomInteger(ANONYMOUS_CLIENT_ID_MAX - ANONYMOUS_CLIENT_ID_MIN + 1);
      const outcome = await this.#deps.anonymous.create({ ...client, clientId }, audit);
      switch (outcome) {
        case 'made':
          return { clientId, authCode };
        case 'limited':
          throw new TunnoxError(
            'rate_limited',
            `Your network has made ${ANONYMOUS_PER_HOUR} anonymous clients within the hour; log in, or try later`,
            { retryAfterS: 3600 },
          );
        case 'collision':
      }
    }
    throw new TunnoxError('unavailable', 'No anonymous client id could be found', { retryAfterS: 1 });
  }

  async #standing(clientId: number): Promise<ClientStanding | null> {
    return (await this.#deps.policies.loadStandings([clientId])).get(clientId) ?? null;
  }

  async #activeStanding(clientId: number): Promise<ClientStanding> {
    const standing = await this.#standing(clientId);
    switch (standing?.state) {
      case undefined:
        throw notFound('client', clientId);
      case 'disabled':
        throw new TunnoxError('client_disabled', `Client ${clientId} is disabled`);
      case 'claimed':
        throw new TunnoxError('client_claimed', `Client ${clientId} was claimed`, {
          details: { new_client_id: standing.upgradedTo },
        });
      case 'active':
        return standing;
    }
  }

  async #answer(standing: ClientStanding, authCode: string | null): Promise<AgentSession> {
    const { policies, nodes, tokens } = this.#deps;
    const { clientId, userId, generation } = standing;
    const subject = { clientId, userId, generation };
    const [ticket, access, relays, config] = await Promise.all([
      tokens.ticket(subject, RELAY_GROUP),
      tokens.accessToken(subject),
      nodes.forAgents(RELAY_GROUP),
      policies.loadAgentConfig(clientId),
    ]);
    if (config === null) throw new TunnoxError('client_disabled', `Client ${clientId} may no longer be used`);
    return {
      client_id: clientId,
      client_type: standing.type,
      user_id: userId,
      ...(authCode === null ? {} : { auth_code: authCode }),
      access_token: access.token,
      access_token_expires_at: access.expiresAt,
      ticket: ticket.token,
      ticket_expires_at: ticket.expiresAt,
      relays: orderRelays(relays, () => randomInteger(2 ** 32) / 2 ** 32),
      base_domain: this.#options.baseDomain,
      http_url: this.#options.publicHttpUrl,
      https_url: this.#options.publicHttpsUrl,
      config,
    };
  }
}

function equal(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
