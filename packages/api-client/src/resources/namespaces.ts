import type { Page } from '@tunnox/domain/api/common';
import {
  type CreateNamespace,
  type Member,
  memberSchema,
  membersPageSchema,
  type Namespace,
  namespaceSchema,
  namespacesPageSchema,
  type PutMember,
  type UpdateNamespace,
} from '@tunnox/domain/api/namespaces';
import { type CallOptions, type ChangeOptions, type ListQuery, Resource, V1 } from '../resource.ts';

export interface NamespacesQuery extends ListQuery {
  /** Operators. */
  user_id?: number;
}

/** Teams and their members. */
export class Namespaces extends Resource {
  create(namespace: CreateNamespace, options?: ChangeOptions): Promise<Namespace> {
    return this.post(`${V1}/namespaces`, namespace, namespaceSchema, options);
  }

  list(query: NamespacesQuery = {}, options?: CallOptions): Promise<Page<'namespaces', Namespace>> {
    return this.read(`${V1}/namespaces`, namespacesPageSchema, query, options);
  }

  get(namespaceId: number, options?: CallOptions): Promise<Namespace> {
    return this.read(`${V1}/namespaces/${namespaceId}`, namespaceSchema, {}, options);
  }

  update(namespaceId: number, change: UpdateNamespace, options?: ChangeOptions): Promise<Namespace> {
    return this.put(`${V1}/namespaces/${namespaceId}`, change, namespaceSchema, options);
  }

  /** @throws {ApiError} `conflict` while something is in it */
  delete(namespaceId: number, options?: ChangeOptions): Promise<void> {
    return this.remove(`${V1}/namespaces/${namespaceId}`, options);
  }

  members(namespaceId: number, query: ListQuery = {}, options?: CallOptions): Promise<Page<'members', Member>> {
    return this.read(`${V1}/namespaces/${namespaceId}/members`, membersPageSchema, query, options);
  }

  /** Adds a member, or changes its role. */
  setMember(namespaceId: number, userId: number, role: PutMember['role'], options?: ChangeOptions): Promise<Member> {
    return this.put(`${V1}/namespaces/${namespaceId}/members/${userId}`, { role }, memberSchema, options);
  }

  removeMember(namespaceId: number, userId: number, options?: ChangeOptions): Promise<void> {
    return this.remove(`${V1}/namespaces/${namespaceId}/members/${userId}`, options);
  }
}
