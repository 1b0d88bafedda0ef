import type { AuditEntry, AuditExportQuery, AuditQuery } from '@tunnox/domain/api/audit';
import type { Page } from '@tunnox/domain/api/common';
import { type NewestPageRequest, type PageRows, toNewestPageRequest } from './page.ts';
import { toNewestPage } from './page.ts';
import { type Caller, refuseClients, requireVisibleUser } from './principal.ts';

/** Which lines are wanted. `userId`: the tenant that they concern. */
export interface AuditFilter {
  userId: number | undefined;
  action: string | undefined;
  objectType: string | undefined;
  objectId: string | undefined;
  requestId: string | undefined;
  from: string | undefined;
  to: string | undefined;
}

export interface AuditRepository {
  list(filter: AuditFilter, page: NewestPageRequest): Promise<PageRows<AuditEntry & { id: number }>>;
  /**
   * The next lines behind `after`, oldest first. Lines behind one that is still being written are not given yet, so
   * that whoever goes on behind the last one misses none.
   */
  after(filter: AuditFilter, after: number, limit: number): Promise<AuditEntry[]>;
}

/** Lines of one page of an export: of the answer only so much is in memory. */
const EXPORT_PAGE = 500;

/** Who changed what, and when. */
export class AuditService {
  readonly #audit: AuditRepository;

  constructor(deps: { audit: AuditRepository }) {
    this.#audit = deps.audit;
  }

  /** Operators see everything, users what concerns them, whoever did it. */
  async list(caller: Caller, query: AuditQuery): Promise<Page<'entries', AuditEntry>> {
    const page = await this.#audit.list(filterOf(caller, query), toNewestPageRequest(query));
    return toNewestPage<'entries', AuditEntry>('entries', query, page);
  }

  /**
   * All that match, oldest first, page by page. The first page is read at once: whoever may not ask, or asks while
   * Postgres is away, is told before the answer begins.
   */
  async export(caller: Caller, query: AuditExportQuery): Promise<AsyncIterableIterator<AuditEntry[]>> {
    const filter = filterOf(caller, query);
    const first = await this.#audit.after(filter, query.after ?? 0, EXPORT_PAGE);
    return this.#pages(filter, first);
  }

  async *#pages(filter: AuditFilter, first: AuditEntry[]): AsyncIterableIterator<AuditEntry[]> {
    let page = first;
    for (;;) {
      if (page.length > 0) yield page;
      const last = page.at(-1);
      if (last === undefined || page.length < EXPORT_PAGE) return;
      page = await this.#audit.after(filter, last.audit_id, EXPORT_PAGE);
    }
  }
}

function filterOf(caller: Caller, query: AuditExportQuery): AuditFilter {
  refuseClients(caller);
  if (query.user_id !== undefined) requireVisibleUser(caller, query.user_id);
  const { principal } = caller;
  return {
    userId: principal.role === 'user' ? principal.userId : query.user_id,
    action: query.action,
    objectType: query.object_type,
    objectId: query.object_id,
    requestId: query.request_id,
    from: query.from,
    to: query.to,
  };
}
