import { type Tokens, tokensSchema } from '@tunnox/domain/api/auth';
import type { ApiCaller } from './api-caller.ts';
import { V1 } from './resource.ts';

/** A token that ends within this time is renewed first. */
const MARGIN_MS = 30_000;

export interface LoginSessionDeps {
  caller: ApiCaller;
  /** Milliseconds since 1970. */
  now?: () => number;
  /** Gets every new pair of tokens, to keep the refresh token for later: each counts once. */
  onTokens?: (tokens: Tokens) => void | Promise<void>;
}

interface Held {
  access: string;
  /** Milliseconds since 1970. */
  accessEndsMs: number;
  refresh: string;
}

/** Somebody who has logged in by password: access tokens are renewed by themselves, one renewal at a time. */
export class LoginSession {
  readonly #deps: LoginSessionDeps;
  readonly #now: () => number;
  #tokens: Held;
  #renewal: Promise<void> | undefined;

  private constructor(deps: LoginSessionDeps, tokens: Held) {
    this.#deps = deps;
    this.#now = deps.now ?? (() => Date.now());
    this.#tokens = tokens;
  }

  /** @throws {ApiError} `unauthenticated`, `rate_limited` */
  static async login(
    deps: LoginSessionDeps,
    credentials: { login: string; password: string },
    signal?: AbortSignal,
  ): Promise<LoginSession> {
    const session = new LoginSession(deps, { access: '', accessEndsMs: 0, refresh: '' });
    await session.#take('login', credentials, signal);
    return session;
  }

  /** Goes on with a refresh token that was kept. */
  static resume(deps: LoginSessionDeps, refreshToken: string): LoginSession {
    return new LoginSession(deps, { access: '', accessEndsMs: 0, refresh: refreshToken });
  }

  /** For `new ManagementApi(caller, session.bearer)`. */
  readonly bearer = async (): Promise<string> => {
    if (this.#now() > this.#tokens.accessEndsMs - MARGIN_MS) {
      // Of several calls at once only one may use up the refresh token.
      this.#renewal ??= this.#take('refresh', { refresh_token: this.#tokens.refresh }, undefined).finally(() => {
        this.#renewal = undefined;
      });
      await this.#renewal;
    }
    return this.#tokens.access;
  };

  /** Ends this log-in everywhere. */
  async logout(signal?: AbortSignal): Promise<void> {
    await this.#deps.caller.call({
      ...{ method: 'POST', path: `${V1}/auth/logout`, repeat: 'safe' },
      ...{ body: { refresh_token: this.#tokens.refresh }, parse: () => undefined, signal },
    });
  }

  async #take(what: 'login' | 'refresh', body: object, signal: AbortSignal | undefined): Promise<void> {
    // Tried once: a refresh token that comes twice ends the log-in.
    const tokens = await this.#deps.caller.call({
      ...{ method: 'POST', path: `${V1}/auth/${what}`, repeat: 'never', body, signal },
      parse: (answer) => tokensSchema.parse(answer),
    });
    const accessEndsMs = this.#now() + tokens.expires_in * 1000;
    this.#tokens = { access: tokens.access_token, accessEndsMs, refresh: tokens.refresh_token };
    await this.#deps.onTokens?.(tokens);
  }
}
