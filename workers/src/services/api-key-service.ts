import type { Page, PageQuery } from '@tunnox/domain/api/common';
import type { ApiKey, CreatedApiKey } from '@tunnox/domain/api/users';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { auditOf } from './audit.ts';
import { API_KEY_PREFIX } from './authenticator.ts';
import { overQuota } from './client-service.ts';
import { toPage, toPageRequest } from './page.ts';
import { type Caller, covers, invalid, notFound, type Scope, scopesOf } from './principal.ts';
import { randomBytes, sha256Hex, toBase64Url } from './random.ts';
import type { ApiKeyRepository } from './user-ports.ts';
import { requireSelf } from './user-service.ts';

const KEY_BYTES = 32;
/** Far more than programs need, and few enough to be looked through. */
const KEYS_MAX = 200;
/** Of the key's 43 random characters so many are shown in lists: too few to guess the rest. */
const SHOWN_CHARACTERS = 6;

export interface CreateApiKeyInput {
  name: string;
  scopes: Scope[];
  expires_at?: string | undefined;
}

/** API keys of users; a key is shown once. */
export class ApiKeyService {
  readonly #apiKeys: ApiKeyRepository;

  constructor(deps: { apiKeys: ApiKeyRepository }) {
    this.#apiKeys = deps.apiKeys;
  }

  async create(caller: Caller, userId: number, body: CreateApiKeyInput): Promise<CreatedApiKey> {
    requireSelf(caller, userId);
    const scopes = [...new Set(body.scopes)];
    const own = scopesOf(caller.principal);
    if (scopes.some((scope) => !covers(own, scope))) {
      throw new TunnoxError('forbidden', 'A key cannot be given more than the key that makes it');
    }
    if (body.expires_at !== undefined && Date.parse(body.expires_at) <= Date.now()) {
      throw invalid('/expires_at', 'must be in the future');
    }
    const key = API_KEY_PREFIX + toBase64Url(randomBytes(KEY_BYTES));
    const outcome = await this.#apiKeys.create(
      userId,
      {
        name: body.name,
        prefix: key.slice(0, API_KEY_PREFIX.length + SHOWN_CHARACTERS),
        hash: await sha256Hex(key),
        scopes,
        expiresAt: body.expires_at ?? null,
      },
      KEYS_MAX,
      auditOf(caller, 'api_key.create', { after: { name: body.name, scopes } }),
    );
    switch (outcome.outcome) {
      case 'no_user':
        throw notFound('user', userId);
      case 'over_quota':
        throw overQuota('API keys', outcome);
      case 'done':
        return { ...outcome.key, api_key: key };
    }
  }

  /** Those that are not revoked. */
  async list(caller: Caller, userId: number, query: PageQuery): Promise<Page<'api_keys', ApiKey>> {
    requireSelf(caller, userId);
    const page = await this.#apiKeys.list(userId, toPageRequest(query));
    return toPage('api_keys', query, page, page.rows, (key) => key.key_id);
  }

  async revoke(caller: Caller, userId: number, keyId: number): Promise<void> {
    requireSelf(caller, userId);
    const revoked = await this.#apiKeys.revoke(userId, keyId, auditOf(caller, 'api_key.revoke', {}));
    if (!revoked) throw notFound('API key', keyId);
  }
}
