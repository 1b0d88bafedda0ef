import type { AgentSession, AgentSessionRequest } from '@tunnox/domain/agent-api';
import type { AgentConfigAnswer } from '@tunnox/domain/agent-config';
import { ANONYMOUS_CLIENT_ID_MAX, ANONYMOUS_CLIENT_ID_MIN } from '@tunnox/domain/ids';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import type { ClientTokens } from '../tickets/client-tokens.ts';
import { type ClientService, newAuthCode } from './client-service.ts';
import type { Handovers } from './handovers.ts';
import type { AnonymousRepository, RelayNodeRepository } from './live-ports.ts';
import { networkOf } from './network-of.ts';
import { orderRelays } from './order-relays.ts';
import type { ClientStanding, PolicyRepository } from './ports.ts';
import { allows, type Caller, notFound, requireWrite, userSees } from './principal.ts';
import { randomInteger, sha256Hex } from './random.ts';
import { claimedAway, requireActive } from './require-active.ts';
import { sameSecret } from './secret.ts';

export interface AgentSessionDeps {
  policies: PolicyRepository;
  clients: Pick<ClientService, 'create'>;
  anonymous: AnonymousRepository;
  nodes: Pick<RelayNodeRepository, 'forAgents'>;
  tokens: ClientTokens;
  handovers: Handovers;
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

interface Identified {
  clientId: number;
  authCode: string | null;
  byCode: boolean;
}

const RELAY_GROUP = 'default';
const ANONYMOUS_LIFE_S = 24 * 3600;
const ANONYMOUS_PER_HOUR = 20;

/**
 * Of all whose address nobody tells: this machine itself, and everybody behind a proxy that does not say for whom it
 * asks. Room for a class or a test, and an end to what a wrong setting would let in.
 */
const ANONYMOUS_UNKNOWN_PER_HOUR = 2000;
const UNKNOWN_NETWORK = 'unknown';

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
    const { clientId, authCode, byCode } = await this.#identify(request, origin);
    const standing = await this.#standing(clientId);
    if (standing === null) throw notFound('client', clientId);
    if (byCode && standing.state === 'claimed') return this.#handOver(standing);
    requireActive(standing);
    // Of a client that was made now, nobody has a version.
    const since = clientId === request.client_id ? (request.config_version ?? null) : null;
    const answer = await this.#answer(standing, authCode, since);
    if (byCode && standing.type === 'managed') await this.#deps.handovers.end(clientId);
    return answer;
  }

  /**
   * The configuration of the agent itself; null when nothing is newer than `since`.
   *
   * @param takesDelta Only what has changed will do.
   */
  async config(clientId: number, since: number, takesDelta: boolean): Promise<AgentConfigAnswer | null> {
    const config = await this.#deps.policies.loadAgentConfig(clientId, takesDelta && since >= 0 ? since : null);
    if (config === null) throw new TunnoxError('unauthenticated', 'The client may no longer be used');
    return config.version > since ? config : null;
  }

  /** `authCode`: of a client that was made now. `byCode`: it has shown its own code. */
  async #identify(request: AgentSessionRequest, origin: AgentOrigin): Promise<Identified> {
    const { client_id, auth_code } = request;
    if (origin.caller !== null) return this.#byApiKey(origin.caller, request);
    if (client_id === undefined && auth_code === undefined) return this.#makeAnonymous(request, origin);
    if (client_id === undefined || auth_code === undefined) {
      throw new TunnoxError('invalid', 'client_id and auth_code go together');
    }
    const standing = await this.#standing(client_id);
    const matches = sameSecret(await sha256Hex(auth_code), standing?.authCodeHash ?? (await sha256Hex('')));
    if (standing === null || !matches) {
      throw new TunnoxError('unauthenticated', 'The client id or its code is not valid, or its time has ended');
    }
    return { clientId: client_id, authCode: null, byCode: true };
  }

  async #byApiKey(caller: Caller, request: AgentSessionRequest): Promise<Identified> {
    const { principal } = caller;
    if (principal.role !== 'user') throw new TunnoxError('forbidden', "Use a user's API key for agents");
    if (!allows(principal, 'write', 'clients')) {
      throw new TunnoxError('forbidden', 'This API key does not have the scope write or clients:write');
    }
    if (request.client_id === undefined) {
      const client_name = request.client_name ?? 'agent';
      const made = await this.#deps.clients.create(caller, { client_name, client_desc: '' });
      return { clientId: made.client_id, authCode: made.auth_code, byCode: false };
    }
    const standing = await this.#standing(request.client_id);
    if (standing === null || !userSees(principal, standing)) throw notFound('client', request.client_id);
    requireWrite(caller, { namespace_id: standing.namespaceId });
    return { clientId: request.client_id, authCode: null, byCode: false };
  }

  async #makeAnonymous(request: AgentSessionRequest, origin: AgentOrigin): Promise<Identified> {
    const authCode = newAuthCode();
    const network = origin.address === null ? null : networkOf(origin.address);
    const client = {
      name: request.client_name ?? 'anonymous',
      authCodeHash: await sha256Hex(authCode),
      lifeS: ANONYMOUS_LIFE_S,
      network: network ?? UNKNOWN_NETWORK,
      perHourMax: network === null ? ANONYMOUS_UNKNOWN_PER_HOUR : ANONYMOUS_PER_HOUR,
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
          return { clientId, authCode, byCode: false };
        case 'limited':
          throw new TunnoxError(
            'rate_limited',
            `Your network has made ${client.perHourMax} anonymous clients within the hour; log in, or try later`,
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

  /** The agent of a claimed client takes its new identity, with the old code as its proof. */
  async #handOver({ clientId, upgradedTo }: ClientStanding): Promise<AgentSession> {
    const newCode = await this.#deps.handovers.open(clientId);
    const standing = upgradedTo === null ? null : await this.#standing(upgradedTo);
    if (newCode === null || standing === null) throw claimedAway(clientId, standing);
    requireActive(standing);
    return this.#answer(standing, newCode, null);
  }

  /** @param configSince Version of the configuration that the agent has; null: none. */
  async #answer(standing: ClientStanding, authCode: string | null, configSince: number | null): Promise<AgentSession> {
    const { policies, nodes, tokens } = this.#deps;
    const { clientId, userId, generation } = standing;
    const subject = { clientId, userId, generation };
    const [ticket, access, relays, config] = await Promise.all([
      tokens.ticket(subject, RELAY_GROUP),
      tokens.accessToken(subject),
      nodes.forAgents(RELAY_GROUP),
      policies.loadAgentConfig(clientId, configSince),
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
