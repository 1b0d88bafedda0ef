import { timingSafeEqual } from 'node:crypto';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import type { AccessTokenVerifier, PolicyRepository } from './ports.ts';
import type { Principal } from './principal.ts';
import { sha256Hex } from './random.ts';
import type { ApiKeyRepository, UserRepository } from './user-ports.ts';

export interface AuthenticatorDeps {
  apiKeys: Pick<ApiKeyRepository, 'authenticate'>;
  users: Pick<UserRepository, 'find'>;
  policies: Pick<PolicyRepository, 'loadStandings'>;
  accessTokens: AccessTokenVerifier;
}

export const API_KEY_PREFIX = 'tnx_live_';

/** Finds out whose credential an `Authorization` header bears. */
export class Authenticator {
  readonly #deps: AuthenticatorDeps;
  readonly #operatorKeyHash: Promise<string>;

  constructor(deps: AuthenticatorDeps, options: { operatorKey: string }) {
    this.#deps = deps;
    this.#operatorKeyHash = sha256Hex(options.operatorKey);
  }

  /** @throws {TunnoxError} `unauthenticated`, `client_disabled`, `client_claimed` */
  async authenticate(authorization: string | undefined): Promise<Principal> {
    const token = /^Bearer +([\x21-\x7e]{1,4096}) *$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) {
      throw refused('Send an API key or an access token in the header Authorization: Bearer …');
    }
    // First: the operator chose the key, and it may look like another credential. Equal lengths, whatever was sent:
    // the time tells nothing of the key.
    const [sent, expected] = await Promise.all([sha256Hex(token), this.#operatorKeyHash]);
    if (timingSafeEqual(Buffer.from(sent), Buffer.from(expected))) return { role: 'operator' };
    if (token.startsWith(API_KEY_PREFIX)) return await this.#byApiKey(token);
    if (/^[^.]+\.[^.]+\.[^.]+$/.test(token)) return await this.#byAccessToken(token);
    throw refused('The credential is not valid');
  }

  async #byApiKey(key: string): Promise<Principal> {
    const found = await this.#deps.apiKeys.authenticate(await sha256Hex(key));
    if (found === null) throw refused('The API key is not valid, or is revoked');
    return { role: 'user', ...found };
  }

  async #byAccessToken(token: string): Promise<Principal> {
    const claims = await this.#deps.accessTokens.verify(token);
    const id = Number(claims.sub);
    switch (claims.role) {
      case 'user': {
        const user = await this.#deps.users.find(id);
        if (user?.status !== 'active') throw refused('The access token is no longer valid');
        return { role: 'user', userId: id, scopes: ['read', 'write'], memberships: [] };
      }
      case 'client': {
        const standing = (await this.#deps.policies.loadStandings([id])).get(id);
        if (standing === undefined) throw refused('The access token is no longer valid');
        if (standing.state === 'disabled') throw new TunnoxError('client_disabled', `Client ${id} is disabled`);
        if (standing.state === 'claimed') throw new TunnoxError('client_claimed', `Client ${id} was claimed`);
        if (standing.generation !== claims.generation) throw refused('The access token is no longer valid');
        return { role: 'client', clientId: id, userId: standing.userId, namespaceId: standing.namespaceId };
      }
    }
  }
}

function refused(message: string): TunnoxError {
  return new TunnoxError('unauthenticated', message);
}
