import type { Page } from '@tunnox/domain/api/common';
import {
  type ApiKey,
  apiKeysSchema,
  type CreateApiKey,
  type CreatedApiKey,
  createdApiKeySchema,
} from '@tunnox/domain/api/users';
import { everyItem } from '../every-item.ts';
import { type CallOptions, type ChangeOptions, type ListQuery, Resource, V1 } from '../resource.ts';

/** API keys of users. */
export class ApiKeys extends Resource {
  /** The key is in this answer only. */
  create(userId: number, key: CreateApiKey = {}, options?: ChangeOptions): Promise<CreatedApiKey> {
    return this.post(`${V1}/users/${userId}/api-keys`, key, createdApiKeySchema, options);
  }

  /** All that are not revoked: page after page, as people have few. */
  async list(userId: number, options?: CallOptions): Promise<ApiKey[]> {
    const keys: ApiKey[] = [];
    for await (const key of everyItem('api_keys', (page) => this.page(userId, page, options))) keys.push(key);
    return keys;
  }

  page(userId: number, query: ListQuery = {}, options?: CallOptions): Promise<Page<'api_keys', ApiKey>> {
    return this.read(`${V1}/users/${userId}/api-keys`, apiKeysSchema, query, options);
  }

  revoke(userId: number, keyId: number, options?: ChangeOptions): Promise<void> {
    return this.remove(`${V1}/users/${userId}/api-keys/${keyId}`, options);
  }
}
