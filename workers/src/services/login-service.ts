import type { Login, Tokens } from '@tunnox/domain/api/auth';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { addressKey } from './address-key.ts';
import type { AuditEntry } from './audit.ts';
import type { RatePolicy } from './gcra.ts';
import { hashPassword, verifyPassword } from './password.ts';
import { randomBytes, sha256Hex, toBase64Url } from './random.ts';
import { ACCOUNT_LOGIN_RATE, LOGIN_RATE, type RateLimiter } from './rate-limiter.ts';
import type { LiveLogin, LoginAccount, LoginRepository, LoginTokens } from './login-ports.ts';

export interface LoginServiceDeps {
  logins: LoginRepository;
  tokens: LoginTokens;
  rateLimiter: RateLimiter;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** Where a request without a credential comes from. */
export interface LoginOrigin {
  requestId: string;
  /** Address as the trusted proxy gives it; undefined: unknown. */
  address: string | undefined;
}

export const REFRESH_TOKEN_PREFIX = 'tnx_refresh_';
const REFRESH_TOKEN_BYTES = 32;
const FAMILY_BYTES = 16;

/** People log in by password and stay so by refresh tokens, each of which counts once. */
export class LoginService {
  readonly #deps: LoginServiceDeps;

  constructor(deps: LoginServiceDeps) {
    this.#deps = deps;
  }

  /**
   * A wrong name and a wrong password look alike and take as long.
   *
   * @throws {TunnoxError} `unauthenticated`, `forbidden` (disabled), `rate_limited`, `unavailable`
   */
  async login({ login, password }: Login, origin: LoginOrigin): Promise<Tokens> {
    const { logins, tokens } = this.#deps;
    const address = addressKey(origin.address);
    if (address !== null) await this.#take(address, LOGIN_RATE, 'this address');
    const account = await logins.findAccount(login, address);
    await this.#limitAccount(account, login);
    const verdict = await verifyPassword(password, account?.passwordHash ?? null);
    if (account === null || account.passwordHash === null || verdict === 'wrong') {
      await logins.noteFailure(account?.userId ?? null, entry('auth.login_failed', null, origin));
      throw new TunnoxError('unauthenticated', 'The user name or the password is wrong');
    }
    if (account.status === 'disabled') throw new TunnoxError('forbidden', 'This account is disabled');
    const newPasswordHash = verdict === 'outdated' ? await hashPassword(password) : null;
    await tokens.prepare();
    const refreshToken = newRefreshToken();
    const { userId, passwordHash } = account;
    const family = toBase64Url(randomBytes(FAMILY_BYTES));
    const live = await logins.begin(
      { userId, family, hash: await sha256Hex(refreshToken), address, passwordHash, newPasswordHash },
      entry('auth.login', userId, origin),
    );
    if (live === null) throw new TunnoxError('unauthenticated', 'The account was changed at this moment; try again');
    return this.#answer(live, refreshToken);
  }

  /** @throws {TunnoxError} `unauthenticated`, `unavailable` */
  async refresh(refreshToken: string, origin: LoginOrigin): Promise<Tokens> {
    await this.#deps.tokens.prepare();
    const next = newRefreshToken();
    const live = await this.#deps.logins.rotate(
      await sha256Hex(refreshToken),
      { hash: await sha256Hex(next), address: addressKey(origin.address) },
      entry('auth.refresh_reused', null, origin),
    );
    if (live === null) {
      throw new TunnoxError(
        'unauthenticated',
        'The refresh token is not valid, was used before, or its log-in has ended',
      );
    }
    return this.#answer(live, next);
  }

  /** Ends the log-in to which the token belongs; whoever has none is logged out already. */
  async logout(refreshToken: string, origin: LoginOrigin): Promise<void> {
    await this.#deps.logins.end(await sha256Hex(refreshToken), entry('auth.logout', null, origin));
  }

  /**
   * Tries at one account from everywhere. Not where its user is logged in at this moment: there the limit by address is
   * enough, and strangers elsewhere cannot lock it out.
   */
  async #limitAccount(account: LoginAccount | null, login: string): Promise<void> {
    if (account?.knownAddress === true) return;
    // Names that nobody has are limited as accounts are, so that the limit does not tell them apart.
    const key = account === null ? `name:${await sha256Hex(login.toLowerCase())}` : `user:${account.userId}`;
    await this.#take(key, ACCOUNT_LOGIN_RATE, 'this account');
  }

  async #take(key: string, policy: RatePolicy, what: string): Promise<void> {
    const verdict = await this.#deps.rateLimiter.take(key, policy);
    if (verdict === null || verdict.allowed) return;
    throw new TunnoxError('rate_limited', `Too many tries to log in: ${what} must wait`, {
      retryAfterS: Math.max(1, Math.ceil(verdict.retryAfterMs / 1000)),
    });
  }

  async #answer(live: LiveLogin, refreshToken: string): Promise<Tokens> {
    const { token, expiresAt } = await this.#deps.tokens.issue(live);
    return {
      access_token: token,
      token_type: 'Bearer',
      expires_in: Math.max(0, Math.ceil((Date.parse(expiresAt) - this.#deps.now()) / 1000)),
      refresh_token: refreshToken,
      refresh_expires_at: live.expiresAt,
      user: live.user,
    };
  }
}

function newRefreshToken(): string {
  return REFRESH_TOKEN_PREFIX + toBase64Url(randomBytes(REFRESH_TOKEN_BYTES));
}

/** @param userId Who it is for certain; null: whoever has (or does not have) the secret. */
function entry(action: string, userId: number | null, { requestId, address }: LoginOrigin): AuditEntry {
  const after = address === undefined ? null : { address };
  const actorType = userId === null ? 'system' : 'user';
  return { actorType, actorId: userId, requestId, action, before: null, after };
}
