import { TunnoxError } from '@tunnox/domain/tunnox-error';

export type Scope = 'read' | 'write';

/** Whose credential a request bears. */
export type Principal =
  | { role: 'operator' }
  | { role: 'user'; userId: number; scopes: readonly Scope[] }
  /** An agent's own credential; `userId` null: anonymous. */
  | { role: 'client'; clientId: number; userId: number | null };

/** Who asks, and in which request. */
export interface Caller {
  principal: Principal;
  requestId: string;
}

/** Whose objects a caller sees; those of others do not exist for it. */
export type Tenant = { kind: 'all' } | { kind: 'user'; userId: number } | { kind: 'client'; clientId: number };

export function tenantOf(principal: Principal): Tenant {
  switch (principal.role) {
    case 'operator':
      return { kind: 'all' };
    case 'user':
      return { kind: 'user', userId: principal.userId };
    case 'client':
      return { kind: 'client', clientId: principal.clientId };
  }
}

export function scopesOf(principal: Principal): readonly Scope[] {
  return principal.role === 'user' ? principal.scopes : ['read', 'write'];
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
