import type { Page, PageQuery } from '@tunnox/domain/api/common';
import type {
  CreateNamespace,
  Member,
  MemberRole,
  Namespace,
  PutMember,
  UpdateNamespace,
} from '@tunnox/domain/api/namespaces';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { auditOf } from './audit.ts';
import { overQuota } from './client-service.ts';
import type { IfVersion } from './if-version.ts';
import type { NamespaceRepository, NamespaceRow } from './namespace-ports.ts';
import { toPage, toPageRequest } from './page.ts';
import { type Caller, chooseUser, notFound, refuseClients } from './principal.ts';

/** Teams that a user may own, and in which it may be: each request reads in which it is. */
const OWNED_MAX = 100;
const MEMBERSHIPS_MAX = 500;
const MEMBERS_MAX = 500;

/** What a role may do with the team itself; what is in it, requireWrite() decides. */
const MANAGES_MEMBERS: readonly MemberRole[] = ['owner', 'admin'];

/** Teams that share clients, mappings and domains. Whoever is in none of them does not see that it is there. */
export class NamespaceService {
  readonly #namespaces: NamespaceRepository;

  constructor(deps: { namespaces: NamespaceRepository }) {
    this.#namespaces = deps.namespaces;
  }

  async create(caller: Caller, body: CreateNamespace): Promise<Namespace> {
    refuseClients(caller);
    const userId = chooseUser(caller, body.user_id);
    const audit = auditOf(caller, 'namespace.create', { after: { name: body.name } });
    const outcome = await this.#namespaces.create(userId, body.name, OWNED_MAX, audit);
    switch (outcome.outcome) {
      case 'no_user':
        throw notFound('user', userId);
      case 'name_taken':
        throw nameTaken(body.name);
      case 'over_quota':
        throw overQuota('namespaces', outcome);
      case 'done':
        return toNamespace(await this.#load(outcome.namespaceId), caller.principal.role === 'user' ? 'owner' : null);
    }
  }

  async list(
    caller: Caller,
    query: PageQuery & { user_id?: number | undefined },
  ): Promise<Page<'namespaces', Namespace>> {
    refuseClients(caller);
    const { principal } = caller;
    const ids = principal.role === 'user' ? principal.memberships.map(({ namespaceId }) => namespaceId) : undefined;
    const page = await this.#namespaces.list({ ids, userId: query.user_id }, toPageRequest(query));
    const items = page.rows.map((row) => toNamespace(row, roleIn(caller, row.namespace_id)));
    return toPage('namespaces', query, page, items, (row) => row.namespace_id);
  }

  async find(caller: Caller, namespaceId: number): Promise<Namespace> {
    const role = requireMember(caller, namespaceId);
    return toNamespace(await this.#load(namespaceId), role);
  }

  async update(
    caller: Caller,
    namespaceId: number,
    { name }: UpdateNamespace,
    ifVersion: IfVersion,
  ): Promise<Namespace> {
    requireRole(caller, namespaceId, MANAGES_MEMBERS, 'change it');
    const before = await this.#load(namespaceId);
    const audit = auditOf(caller, 'namespace.update', { before: { name: before.name }, after: { name } });
    switch (await this.#namespaces.rename(namespaceId, name, audit, ifVersion)) {
      case 'no_namespace':
        throw notFound('namespace', namespaceId);
      case 'name_taken':
        throw nameTaken(name);
      case 'done':
        return await this.find(caller, namespaceId);
    }
  }

  async remove(caller: Caller, namespaceId: number, ifVersion: IfVersion): Promise<void> {
    requireRole(caller, namespaceId, ['owner'], 'delete it');
    const { name } = await this.#load(namespaceId);
    const audit = auditOf(caller, 'namespace.delete', { before: { name } });
    const outcome = await this.#namespaces.remove(namespaceId, audit, ifVersion);
    switch (outcome.outcome) {
      case 'no_namespace':
        throw notFound('namespace', namespaceId);
      case 'not_empty': {
        const { clients, mappings, domains } = outcome;
        throw new TunnoxError(
          'conflict',
          `The namespace has ${clients} clients, ${mappings} mappings and ${domains} domains; delete them first`,
          { details: { clients, mappings, domains } },
        );
      }
      case 'done':
    }
  }

  async members(caller: Caller, namespaceId: number, query: PageQuery): Promise<Page<'members', Member>> {
    requireMember(caller, namespaceId);
    await this.#load(namespaceId);
    const page = await this.#namespaces.members(namespaceId, toPageRequest(query));
    return toPage('members', query, page, page.rows, (member) => member.user_id);
  }

  async putMember(caller: Caller, namespaceId: number, userId: number, { role }: PutMember): Promise<Member> {
    requireRole(caller, namespaceId, MANAGES_MEMBERS, 'manage its members');
    const outcome = await this.#namespaces.putMember(
      { namespaceId, userId, role },
      { members: MEMBERS_MAX, namespaces: MEMBERSHIPS_MAX },
      auditOf(caller, 'namespace.put_member', { after: { user_id: userId, role } }),
    );
    switch (outcome.outcome) {
      case 'no_namespace':
        throw notFound('namespace', namespaceId);
      case 'no_user':
        throw notFound('user', userId);
      case 'owner':
        throw ownerStays(userId);
      case 'over_quota':
        throw overQuota(outcome.what === 'members' ? 'members of a namespace' : 'namespaces of a user', outcome);
      case 'done':
        return outcome.member;
    }
  }

  /** Members may be sent away by those who manage them, and may leave by themselves. */
  async removeMember(caller: Caller, namespaceId: number, userId: number): Promise<void> {
    const leaves = caller.principal.role === 'user' && caller.principal.userId === userId;
    if (leaves) requireMember(caller, namespaceId);
    else requireRole(caller, namespaceId, MANAGES_MEMBERS, 'manage its members');
    const action = leaves ? 'namespace.leave' : 'namespace.remove_member';
    const audit = auditOf(caller, action, { before: { user_id: userId } });
    switch (await this.#namespaces.removeMember(namespaceId, userId, audit)) {
      case 'no_member':
        throw notFound('member', userId);
      case 'owner':
        throw ownerStays(userId);
      case 'done':
    }
  }

  async #load(namespaceId: number): Promise<NamespaceRow> {
    const row = await this.#namespaces.find(namespaceId);
    if (row === null) throw notFound('namespace', namespaceId);
    return row;
  }
}

/** null: an operator's view. */
function roleIn({ principal }: Caller, namespaceId: number): MemberRole | null {
  if (principal.role !== 'user') return null;
  return principal.memberships.find((one) => one.namespaceId === namespaceId)?.role ?? null;
}

/** @returns The caller's role; null: an operator. @throws {TunnoxError} `not_found`, `forbidden` */
function requireMember(caller: Caller, namespaceId: number): MemberRole | null {
  refuseClients(caller);
  const role = roleIn(caller, namespaceId);
  if (role === null && caller.principal.role !== 'operator') throw notFound('namespace', namespaceId);
  return role;
}

function requireRole(caller: Caller, namespaceId: number, roles: readonly MemberRole[], what: string): void {
  const role = requireMember(caller, namespaceId);
  if (role === null || roles.includes(role)) return;
  throw new TunnoxError('forbidden', `As ${role} of namespace ${namespaceId} you cannot ${what}`);
}

function toNamespace(row: NamespaceRow, role: MemberRole | null): Namespace {
  return { ...row, role };
}

function nameTaken(name: string): TunnoxError {
  return new TunnoxError('conflict', `There is a namespace called ${name} of this owner`);
}

function ownerStays(userId: number): TunnoxError {
  return new TunnoxError('conflict', `User ${userId} owns the namespace, and stays its owner while it exists`);
}
