import type { Member, Namespace } from '@tunnox/domain/api/namespaces';
import type { AuditEntry } from './audit.ts';
import type { OverQuota } from './client-ports.ts';
import type { IfVersion } from './if-version.ts';
import type { PageRequest, PageRows } from './page.ts';

/** A team; whose membership `role` is the caller's adds. */
export type NamespaceRow = Omit<Namespace, 'role'>;

/** What stands in the way of a team's end. */
export interface NamespaceContents {
  clients: number;
  mappings: number;
  domains: number;
}

export type MemberOutcome =
  | { outcome: 'done'; member: Member }
  | { outcome: 'no_namespace' | 'no_user' | 'owner' }
  /** The team has as many members, or the user as many teams, as there may be. */
  | (OverQuota & { what: 'members' | 'namespaces' });

export interface NamespaceRepository {
  create(
    userId: number,
    name: string,
    namespacesMax: number,
    audit: AuditEntry,
  ): Promise<{ outcome: 'done'; namespaceId: number } | OverQuota | { outcome: 'no_user' | 'name_taken' }>;
  find(namespaceId: number): Promise<NamespaceRow | null>;
  /** @param filter `ids`: only these; `userId`: only those of this owner. */
  list(
    filter: { ids?: readonly number[] | undefined; userId?: number | undefined },
    page: PageRequest,
  ): Promise<PageRows<NamespaceRow>>;
  rename(
    namespaceId: number,
    name: string,
    audit: AuditEntry,
    ifVersion: IfVersion,
  ): Promise<'done' | 'no_namespace' | 'name_taken'>;
  /** Only when nothing is in it. */
  remove(
    namespaceId: number,
    audit: AuditEntry,
    ifVersion: IfVersion,
  ): Promise<{ outcome: 'done' | 'no_namespace' } | ({ outcome: 'not_empty' } & NamespaceContents)>;
  members(namespaceId: number, page: PageRequest): Promise<PageRows<Member>>;
  /** Adds a member, or gives it another role; the owner stays. */
  putMember(
    member: { namespaceId: number; userId: number; role: Member['role'] },
    max: { members: number; namespaces: number },
    audit: AuditEntry,
  ): Promise<MemberOutcome>;
  removeMember(namespaceId: number, userId: number, audit: AuditEntry): Promise<'done' | 'no_member' | 'owner'>;
}
