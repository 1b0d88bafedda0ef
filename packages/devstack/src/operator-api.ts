import { Resource } from '@tunnox/api-client/resource';
import {
  type CreatedJoinToken,
  type CreateJoinToken,
  createdJoinTokenSchema,
  type JoinToken,
  joinTokensSchema,
} from '@tunnox/domain/api/nodes';
import {
  type CreateApiKey,
  type CreatedApiKey,
  type CreateUser,
  createdApiKeySchema,
  type User,
  userSchema,
  usersPageSchema,
} from '@tunnox/domain/api/users';

const V1 = '/api/v1';

/** What the platform itself asks of its control plane, with the operator key. Every call throws `ApiError`. */
export class OperatorApi extends Resource {
  createUser(user: CreateUser): Promise<User> {
    return this.post(`${V1}/users`, user, userSchema);
  }

  async users(cursor: string | null): Promise<{ users: User[]; next_cursor: string | null }> {
    return await this.get(`${V1}/users`, usersPageSchema, { limit: 100, ...(cursor === null ? {} : { cursor }) });
  }

  createApiKey(userId: number, key: CreateApiKey): Promise<CreatedApiKey> {
    return this.post(`${V1}/users/${userId}/api-keys`, key, createdApiKeySchema);
  }

  createJoinToken(token: CreateJoinToken): Promise<CreatedJoinToken> {
    return this.post(`${V1}/join-tokens`, token, createdJoinTokenSchema);
  }

  async joinTokens(): Promise<JoinToken[]> {
    return (await this.get(`${V1}/join-tokens`, joinTokensSchema)).join_tokens;
  }
}
