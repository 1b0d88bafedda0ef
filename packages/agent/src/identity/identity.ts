import type { AgentApi } from '@tunnox/api-client/agent-api';
import { ApiError } from '@tunnox/api-client/api-error';
import type { AgentSession } from '@tunnox/domain/agent-api';
import type { AgentConfigAnswer } from '@tunnox/domain/agent-config';
import { PROTOCOL_VERSION } from '@tunnox/protocol/version';
import type { Clock } from '../clock.ts';
import type { Ending } from '../state.ts';
import type { AgentCredential, CredentialKeeper } from './credential.ts';
import { endingOf } from './ending-of.ts';
import { tokenLifetimeMs } from './token-lifetime.ts';

/** A token is no longer shown in the last tenth of its life: the answer may take a while. */
const TOKEN_USABLE_PART = 0.9;
/** Half-way to its end a ticket is renewed in the background, so that it outlives an absence of the control plane. */
const TICKET_RENEW_PART = 0.5;
/** How often a client that is switched off asks whether it is on again. */
const DISABLED_RETRY_MS = 30_000;

export type RenewOutcome =
  | { kind: 'ready'; session: AgentSession }
  /** Come again. `retryAfterMs` is 0 when nobody says when. */
  | { kind: 'failed'; retryAfterMs: number; error: ApiError }
  | { kind: 'final'; ending: Ending };

export interface IdentityDeps {
  api: AgentApi;
  credentials: CredentialKeeper;
  clock: Clock;
}

export interface IdentityOptions {
  agentVersion: string;
  /** Name of a client that the control plane makes for this agent. */
  clientName?: string;
  /** Version of the last session's client's configuration that is in effect; negative: none. */
  configVersion?: () => number;
  /**
   * Every session answer, before anything else uses it. `claimedFrom`: the client that was asked for, when it was claimed
   * and is this one now.
   */
  onSession?: (session: AgentSession, how: { isNewClient: boolean; claimedFrom: number | null }) => void;
}

/** Who this agent is: the session answer of the control plane, renewed as needed, one call at a time. */
export class Identity {
  readonly #deps: IdentityDeps;
  readonly #options: IdentityOptions;
  #session: AgentSession | null = null;
  #receivedMs = 0;
  #ticketRejected = false;
  #renewing: Promise<RenewOutcome> | null = null;
  #unconfirmed = false;

  constructor(deps: IdentityDeps, options: IdentityOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** The last answer; null before the first. */
  get session(): AgentSession | null {
    return this.#session;
  }

  /**
   * The ticket, unless a relay has said that it is of no use. Its end is not looked at: relays do, and while the control
   * plane is away an old ticket is the only one there is.
   */
  get ticket(): string | null {
    return this.#ticketRejected ? null : (this.#session?.ticket ?? null);
  }

  /** True from half of the ticket's life on, or when it was rejected. */
  get renewalDue(): boolean {
    if (this.#session === null || this.#ticketRejected) return true;
    return this.#ageMs() >= tokenLifetimeMs(this.#session.ticket) * TICKET_RENEW_PART;
  }

  /**
   * True when the code of a claimed client was handed over and has not been shown yet: once it is, the old code is worth
   * nothing any more.
   */
  get unconfirmed(): boolean {
    return this.#unconfirmed;
  }

  /** A relay refused `ticket`: the next session call must come before the next hello. */
  rejectTicket(ticket: string): void {
    if (this.#session?.ticket === ticket) this.#ticketRejected = true;
  }

  /** Asks the control plane for a new session; callers at the same time share one call. */
  renew(signal?: AbortSignal): Promise<RenewOutcome> {
    this.#renewing ??= this.#renew(signal).finally(() => {
      this.#renewing = null;
    });
    return this.#renewing;
  }

  /**
   * Fetches the configuration, or what has changed of it, if it is newer than `since`.
   *
   * @returns null when nothing is newer.
   * @throws {ApiError}
   */
  async config(since: number, signal?: AbortSignal): Promise<AgentConfigAnswer | null> {
    const session = this.#session;
    if (session !== null && this.#ageMs() < tokenLifetimeMs(session.access_token) * TOKEN_USABLE_PART) {
      try {
        return await this.#deps.api.config(session.access_token, since, signal);
      } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 401) throw error;
      }
    }
    const outcome = await this.renew(signal);
    if (outcome.kind === 'ready') return outcome.session.config.version > since ? outcome.session.config : null;
    if (outcome.kind === 'failed') throw outcome.error;
    throw new ApiError({
      code: outcome.ending.apiCode ?? outcome.ending.code,
      status: 403,
      detail: outcome.ending.message,
    });
  }

  async #renew(signal: AbortSignal | undefined): Promise<RenewOutcome> {
    for (;;) {
      try {
        return await this.#ask(this.#deps.credentials.current(), signal);
      } catch (error) {
        const ending = endingOf(error);
        if (ending === null) return failed(error as ApiError);
        if (ending.code === 'claimed') await this.#deps.credentials.superseded?.(newClientIdIn(error as ApiError));
        if (ending.code !== 'unauthenticated') return { kind: 'final', ending };
        const reason = ending.apiCode === 'not_found' ? 'not_found' : 'unauthenticated';
        if (!(await this.#deps.credentials.forget(reason))) return { kind: 'final', ending };
      }
    }
  }

  async #ask(credential: AgentCredential, signal: AbortSignal | undefined): Promise<RenewOutcome> {
    const { agentVersion, clientName, configVersion, onSession } = this.#options;
    const { clientId, authCode, apiKey } = credential;
    const byCode = clientId !== undefined && authCode !== undefined;
    const known = clientId !== undefined && clientId === this.#session?.client_id ? (configVersion?.() ?? -1) : -1;
    const session = await this.#deps.api.createSession(
      {
        agent_version: agentVersion,
        protocol: PROTOCOL_VERSION,
        ...(clientId === undefined ? {} : { client_id: clientId }),
        ...(byCode ? { auth_code: authCode } : {}),
        ...(known >= 0 ? { config_version: known } : {}),
        ...(clientId === undefined && clientName !== undefined ? { client_name: clientName } : {}),
      },
      byCode ? undefined : apiKey,
      signal,
    );
    const { auth_code: newCode } = session;
    const claimedFrom = clientId !== undefined && session.client_id !== clientId ? clientId : null;
    if (newCode !== undefined) {
      await this.#deps.credentials.save({ clientId: session.client_id, authCode: newCode, claimedFrom });
    }
    this.#unconfirmed = claimedFrom !== null;
    this.#session = session;
    this.#receivedMs = this.#deps.clock.now();
    this.#ticketRejected = false;
    onSession?.(session, { isNewClient: session.client_id !== clientId, claimedFrom });
    return { kind: 'ready', session };
  }

  #ageMs(): number {
    return this.#deps.clock.now() - this.#receivedMs;
  }
}

function failed(error: ApiError): RenewOutcome {
  const unsaidMs = error.code === 'client_disabled' ? DISABLED_RETRY_MS : 0;
  return { kind: 'failed', retryAfterMs: error.retryAfterS === null ? unsaidMs : error.retryAfterS * 1000, error };
}

/** What the claimed client has become; null: the server does not say, or it is gone. */
function newClientIdIn({ members }: ApiError): number | null {
  const id = members['new_client_id'];
  return typeof id === 'number' ? id : null;
}
