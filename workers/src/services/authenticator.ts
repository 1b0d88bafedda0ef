import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { decodeJwt } from 'jose';
import { clientDisabled } from './client-disabled.ts';
import type { LoginRepository, LoginTokens } from './login-ports.ts';
import type { AccessTokenVerifier, PolicyRepository } from './ports.ts';
import type { Principal } from './principal.ts';
import { sha256Hex } from './random.ts';
import { sameSecret } from './secret.ts';
import type { ApiKeyRepository } from './user-ports.ts';

export interface AuthenticatorDeps {
  apiKeys: Pick<ApiKeyRepository, 'authenticate'>;
  logins: Pick<LoginRepository, 'authenticate'>;
  policies: Pick<PolicyRepository, 'loadStandings'>;
  /** Of agents. */
  accessTokens: AccessTokenVerifier;
  /** Of people who have logged in. */
  loginTokens: Pick<LoginTokens, 'verify'>;
}

export const API_KEY_PREFIX = 'tnx_live_';

/** Finds out whose credential an `Authorization` header bears. */
export class Authenticator {
  readonly #deps: AuthenticatorDeps;
  readonly #operatorKey: string;

  constructor(deps: AuthenticatorDeps, options: { operatorKey: string }) {
    this.#deps = deps;
    this.#operatorKey = options.operatorKey;
  }

  /** @throws {TunnoxError} `unauthenticated`, `client_disabled`, `client_claimed` */
  async authenticate(authorization: string | undefined): Promise<Principal> {
    const token = /^Bearer +([\x21-\x7e]{1,4096}) *$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) {
      throw refused('Send an API key or an access token in the header Authorization: Bearer …');
    }
    // First: the operator chose the key, and it may look like another credential.
    if (sameSecret(token, this.#operatorKey)) return { role: 'operator' };
    if (token.startsWith(API_KEY_PREFIX)) return await this.#byApiKey(token);
    if (/^[^.]+\.[^.]+\.[^.]+$/.test(token)) return await this.#byAccessToken(token);
    throw refused('The credential is not valid');
  }

  async #byApiKey(key: string): Promise<Principal> {
    const found = await this.#deps.apiKeys.authenticate(await sha256Hex(key));
    if (found === null) throw refused('The API key is not valid, or is revoked');
    return { role: 'user', ...found };
  }

  /**
   * What the token says of itself only chooses the keys with which it is verified: those of the other kind would not
   * have signed it.
   */
  #byAccessToken(token: string): Promise<Principal> {
    return claimedRole(token) === 'user' ? this.#byLogin(token) : this.#byAgentToken(token);
  }

  async #byLogin(token: string): Promise<Principal> {
    const identity = await this.#deps.loginTokens.verify(token);
    const memberships = await this.#deps.logins.authenticate(identity);
    if (memberships === null) throw refused('The log-in has ended');
    return { role: 'user', userId: identity.userId, scopes: ['read', 'write'], memberships };
  }

  async #byAgentToken(token: string): Promise<Principal> {
    const claims = await this.#deps.accessTokens.verify(token);
    const id = Number(claims.sub);
    const standing = (await this.#deps.policies.loadStandings([id])).get(id);
    if (standing === undefined) throw refused('The access token is no longer valid');
    if (standing.state === 'disabled') throw clientDisabled(id, standing.suspended);
    if (standing.state === 'claimed') throw new TunnoxError('client_claimed', `Client ${id} was claimed`);
    if (standing.generation !== claims.generation) throw refused('The access token is no longer valid');
    return { role: 'client', clientId: id, userId: standing.userId, namespaceId: standing.namespaceId };
  }
}

function claimedRole(token: string): unknown {
  try {
    return decodeJwt(token)['role'];
  } catch (cause) {
    throw refused('The access token cannot be read', cause);
  }
}

function refused(message: string, cause?: unknown): TunnoxError {
  return new TunnoxError('unauthenticated', message, { cause });
}
