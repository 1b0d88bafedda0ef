import { agentSessionSchema, type AgentSession, type AgentSessionRequest } from '@tunnox/domain/agent-api';
import { agentConfigAnswerSchema, type AgentConfigAnswer } from '@tunnox/domain/agent-config';
import type { ApiCaller } from './api-caller.ts';

/** The calls of an agent: `/agent/v1`. */
export class AgentApi {
  readonly #caller: ApiCaller;

  constructor(caller: ApiCaller) {
    this.#caller = caller;
  }

  /**
   * Trades a credential for a ticket. Tried once: a repeat could make a second client.
   *
   * @param apiKey Absent: the client's own code in `request`, or a new anonymous client.
   * @throws {ApiError} `unauthenticated`, `client_disabled`, `client_claimed`, `quota_exceeded`, …
   */
  createSession(request: AgentSessionRequest, apiKey?: string, signal?: AbortSignal): Promise<AgentSession> {
    return this.#caller.call({
      method: 'POST',
      path: '/agent/v1/session',
      body: request,
      bearer: apiKey,
      repeat: 'never',
      parse: (body) => agentSessionSchema.parse(body),
      signal,
    });
  }

  /** @returns What has changed since version `since`, or the whole; null when nothing is newer. */
  config(accessToken: string, since: number, signal?: AbortSignal): Promise<AgentConfigAnswer | null> {
    return this.#caller.call({
      method: 'GET',
      path: `/agent/v1/config?since=${since}&delta=1`,
      bearer: accessToken,
      repeat: 'safe',
      parse: (body) => (body === undefined ? null : agentConfigAnswerSchema.parse(body)),
      signal,
    });
  }
}
