import {
  type ApiKey,
  apiKeysSchema,
  type CreateApiKey,
  type CreatedApiKey,
  createdApiKeySchema,
} from '@tunnox/domain/api/users';
import { type CallOptions, type ChangeOptions, Resource, V1 } from '../resource.ts';

/** API keys of users. */
export class ApiKeys extends Resource {
  /** The key is in this answer only. */
  create(userId: number, key: CreateApiKey = {}, options?: ChangeOptions): Promise<CreatedApiKey> {
    return this.post(`${V1}/users/${userId}/api-keys`, key, createdApiKeySchema, options);
  }

  async list(userId: number, options?: CallOptions): Promise<ApiKey[]> {
    return (await this.read(`${V1}/users/${userId}/api-keys`, apiKeysSchema, {}, options)).api_keys;
  }

  revoke(userId: number, keyId: number, options?: ChangeOptions): Promise<void> {
    return this.remove(`${V1}/users/${userId}/api-keys/${keyId}`, options);
  }
}
