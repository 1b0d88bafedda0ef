import type { API_AREAS, API_KEY_SCOPES } from '@tunnox/domain/api/scopes';
import { TunnoxError } from '@tunnox/domain/tunnox-error';

export type Access = 'read' | 'write';

/** What an API key may be limited to; `service` is whatever needs no more than a valid credential. */
export type Area = (typeof API_AREAS)[number];

/** `read` and `write` alone mean every area. */
export type Scope = (typeof API_KEY_SCOPES)[number];

/** A team of which a user is a member. */
export interface Membership {
  namespaceId: number;
  /** Whose quota counts what is in it. */
  ownerId: number;
  role: 'owner' | 'admin' | 'member' | 'viewer';
}

/** Whose credential a request bears. */
export type Principal =
  | { role: 'operator' }
  | { role: 'user'; userId: number; scopes: readonly Scope[]; memberships: readonly Membership[] }
  /** An agent's own credential; `userId` null: anonymous. */
  | { role: 'client'; clientId: number; userId: number | null; namespaceId: number | null };

/** Who asks, and in which request. */
export interface Caller {
  principal: Principal;
  requestId: string;
}

/** Whose objects a caller sees; those of others do not exist for it. */
export type Tenant =
  | { kind: 'all' }
  /** What a user alone has, and what its teams have. */
  | { kind: 'user'; userId: number; namespaceIds: readonly number[] }
  /** What belongs to exactly this user and team (null: to no team). */
  | { kind: 'owner'; userId: number; namespaceId: number | null }
  | { kind: 'client'; clientId: number };

/** To whom a row belongs: `user_id` pays for it, `namespace_id` shares it. */
export interface Owner {
  userId: number;
  namespaceId: number | null;
}

export function tenantOf(principal: Principal): Tenant {
  switch (principal.role) {
    case 'operator':
      return { kind: 'all' };
    case 'user':
      return {
        kind: 'user',
        userId: principal.userId,
        namespaceIds: principal.memberships.map(({ namespaceId }) => namespaceId),
      };
    case 'client':
      return { kind: 'client', clientId: principal.clientId };
  }
}

export function scopesOf(principal: Principal): readonly Scope[] {
  return principal.role === 'user' ? principal.scopes : ['read', 'write'];
}

/** Whether the credential is good for such a request. */
export function allows(principal: Principal, access: Access, area: Area | null): boolean {
  const scopes = scopesOf(principal);
  // What belongs to no area is open to every key that may read (or write) anything.
  if (area === null) return scopes.some((scope) => scope === access || scope.endsWith(`:${access}`));
  return scopes.includes(access) || scopes.includes(`${area}:${access}`);
}

/** Whether who has the scopes may give this one to another: `write` has `clients:write` in it. */
export function covers(own: readonly Scope[], scope: Scope): boolean {
  return own.includes(scope) || own.some((one) => scope.endsWith(`:${one}`));
}

/** Names the principal in stored rows, such as `user:100000001`. */
export function principalKey(principal: Principal): string {
  switch (principal.role) {
    case 'operator':
      return 'operator';
    case 'user':
      return `user:${principal.userId}`;
    case 'client':
      return `client:${principal.clientId}`;
  }
}

/** @throws {TunnoxError} `forbidden` unless the caller is an operator. */
export function requireOperator(caller: Caller): void {
  if (caller.principal.role !== 'operator') throw new TunnoxError('forbidden', 'Only operators may do this');
}

/** @throws {TunnoxError} `forbidden` for an agent's own credential. */
export function refuseClients(caller: Caller): void {
  if (caller.principal.role === 'client') {
    throw new TunnoxError('forbidden', "An agent's own credential does not allow this; use an API key");
  }
}

/**
 * @param row What the caller sees and wants to change.
 * @throws {TunnoxError} `forbidden` for a member of its team that may only look.
 */
export function requireWrite({ principal }: Caller, row: { namespace_id: number | null }): void {
  if (principal.role !== 'user' || row.namespace_id === null) return;
  const role = principal.memberships.find(({ namespaceId }) => namespaceId === row.namespace_id)?.role;
  if (role === undefined || role === 'viewer') {
    throw new TunnoxError('forbidden', `As a viewer of namespace ${row.namespace_id} you cannot change what is in it`);
  }
}

/**
 * For whom something new is made: the caller itself, a team that it names, or, for an operator, whom the request names.
 * Whether a team that an operator names is that user's, the statement that makes the row decides.
 *
 * @throws {TunnoxError} `not_found` for another's user or team, `forbidden` for a viewer, `invalid`
 */
export function chooseOwner(
  caller: Caller,
  wish: { user_id?: number | undefined; namespace_id?: number | null | undefined },
): Owner {
  const { principal } = caller;
  const namespaceId = wish.namespace_id ?? null;
  if (principal.role === 'user' && namespaceId !== null) {
    const membership = principal.memberships.find((one) => one.namespaceId === namespaceId);
    if (membership === undefined) throw notFound('namespace', namespaceId);
    if (wish.user_id !== undefined && wish.user_id !== membership.ownerId) throw notFound('user', wish.user_id);
    requireWrite(caller, { namespace_id: namespaceId });
    return { userId: membership.ownerId, namespaceId };
  }
  if (principal.role === 'client' && namespaceId !== null && namespaceId !== principal.namespaceId) {
    throw notFound('namespace', namespaceId);
  }
  const ownNamespace = principal.role === 'client' ? principal.namespaceId : namespaceId;
  return { userId: chooseUser(caller, wish.user_id), namespaceId: ownNamespace };
}

/**
 * The user whose objects the caller manages: its own, or, for an operator, the one that the request names.
 *
 * @throws {TunnoxError} `not_found` when somebody names another's, `invalid` when an operator names none.
 */
export function chooseUser(caller: Caller, userId: number | undefined): number {
  const own = caller.principal.role === 'operator' ? userId : caller.principal.userId;
  if (caller.principal.role === 'operator' && own === undefined) throw invalid('/user_id', 'must say for which user');
  if (own === null || own === undefined) throw loginRequired('Log in first: an anonymous client has no account');
  if (userId !== undefined && userId !== own) throw notFound('user', userId);
  return own;
}

/** Whether a user sees a row: in a team's its members, also its owner, in every other one only whose it is. */
export function userSees(
  { userId, memberships }: Extract<Principal, { role: 'user' }>,
  row: { userId: number | null; namespaceId: number | null },
): boolean {
  if (row.namespaceId === null) return row.userId === userId;
  return memberships.some(({ namespaceId }) => namespaceId === row.namespaceId);
}

/** @throws {TunnoxError} `not_found` when the caller asks for what another user has. */
export function requireVisibleUser(caller: Caller, userId: number): void {
  const { principal } = caller;
  if (principal.role !== 'operator' && principal.userId !== userId) throw notFound('user', userId);
}

export function notFound(what: string, id: number | string): TunnoxError {
  return new TunnoxError('not_found', `There is no ${what} ${id}`);
}

export function loginRequired(message: string): TunnoxError {
  return new TunnoxError('login_required', message);
}

/** A value that is not valid; `pointer` is a JSON pointer into the body (RFC 6901). */
export function invalid(pointer: string, detail: string): TunnoxError {
  return new TunnoxError('invalid', `${pointer.slice(1) || 'The body'} ${detail}`, {
    details: { errors: [{ pointer, detail }] },
  });
}
