import type { Caller } from './principal.ts';

/** A line of the audit log; the repository writes it together with the change. */
export interface AuditEntry {
  actorType: 'operator' | 'user' | 'client' | 'system';
  actorId: number | null;
  /** null: no request did it. */
  requestId: string | null;
  /** Such as `domain.create`. */
  action: string;
  before: unknown;
  after: unknown;
}

/** What the caller does; secrets must not be in `before` and `after`. */
export function auditOf(caller: Caller, action: string, change: { before?: unknown; after?: unknown }): AuditEntry {
  const { principal, requestId } = caller;
  const before = change.before ?? null;
  const after = change.after ?? null;
  switch (principal.role) {
    case 'operator':
      return { actorType: 'operator', actorId: null, requestId, action, before, after };
    case 'user':
      return { actorType: 'user', actorId: principal.userId, requestId, action, before, after };
    case 'client':
      return { actorType: 'client', actorId: principal.clientId, requestId, action, before, after };
  }
}
