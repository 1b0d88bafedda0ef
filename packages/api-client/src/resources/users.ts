import type { Client } from '@tunnox/domain/api/clients';
import { clientsPageSchema } from '@tunnox/domain/api/clients';
import type { Page } from '@tunnox/domain/api/common';
import { type Mapping, mappingsPageSchema } from '@tunnox/domain/api/mappings';
import {
  type CreateUser,
  type Limits,
  quotaSetSchema,
  type QuotaUse,
  quotaUseSchema,
  type SetQuota,
  type UpdateUser,
  type User,
  userSchema,
  usersPageSchema,
} from '@tunnox/domain/api/users';
import type { ClientsFilter } from './clients.ts';
import type { MappingsFilter } from './mappings.ts';
import { type CallOptions, type ChangeOptions, type ListQuery, Resource, V1 } from '../resource.ts';

export interface UsersQuery extends ListQuery {
  status?: User['status'];
}

/** Accounts and their quotas. */
export class Users extends Resource {
  /** Operators. @throws {ApiError} `username_taken`, `email_taken` */
  create(user: CreateUser, options?: ChangeOptions): Promise<User> {
    return this.post(`${V1}/users`, user, userSchema, options);
  }

  /** Operators. */
  list(query: UsersQuery = {}, options?: CallOptions): Promise<Page<'users', User>> {
    return this.read(`${V1}/users`, usersPageSchema, query, options);
  }

  get(userId: number, options?: CallOptions): Promise<User> {
    return this.read(`${V1}/users/${userId}`, userSchema, {}, options);
  }

  update(userId: number, change: UpdateUser, options?: ChangeOptions): Promise<User> {
    return this.put(`${V1}/users/${userId}`, change, userSchema, options);
  }

  /** With all that it has. Operators. */
  delete(userId: number, options?: ChangeOptions): Promise<void> {
    return this.remove(`${V1}/users/${userId}`, options);
  }

  clients(userId: number, query: ClientsFilter = {}, options?: CallOptions): Promise<Page<'clients', Client>> {
    return this.read(`${V1}/users/${userId}/clients`, clientsPageSchema, query, options);
  }

  mappings(userId: number, query: MappingsFilter = {}, options?: CallOptions): Promise<Page<'mappings', Mapping>> {
    return this.read(`${V1}/users/${userId}/mappings`, mappingsPageSchema, query, options);
  }

  /** Limits, and what is used of them. */
  quota(userId: number, options?: CallOptions): Promise<QuotaUse> {
    return this.read(`${V1}/users/${userId}/quota`, quotaUseSchema, {}, options);
  }

  /** Operators. What is absent stays. */
  setQuota(
    userId: number,
    quota: SetQuota,
    options?: ChangeOptions,
  ): Promise<{ user_id: number; quota: Limits; updated_at: string }> {
    return this.post(`${V1}/users/${userId}/quota`, quota, quotaSetSchema, options);
  }

  /** Operators. The limits are the plan's again. */
  resetQuota(userId: number, options?: ChangeOptions): Promise<{ user_id: number; quota: Limits; updated_at: string }> {
    return this.removeFor(`${V1}/users/${userId}/quota`, quotaSetSchema, options);
  }
}
