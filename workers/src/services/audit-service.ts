import type { AuditEntry, AuditExportQuery, AuditQuery } from '@tunnox/domain/api/audit';
import type { Page } from '@tunnox/domain/api/common';
import { type NewestPageRequest, type PageRows, toNewestPage, toNewestPageRequest } from './page.ts';
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

export interface ExportLimits {
  /** Of an answer only so many lines are in memory; what a driver over HTTP takes at once is bounded too. */
  linesOfPage: number;
  /** The platform bounds how much one request may ask of others. */
  pagesMax: number;
}

const EXPORT_LIMITS: ExportLimits = { linesOfPage: 200, pagesMax: 500 };

/** Pages of an export; at its end, whether all were given or there are `more` behind the last. */
export type AuditExport = AsyncGenerator<AuditEntry[], 'all' | 'more'>;

/** Who changed what, and when. */
export class AuditService {
  readonly #audit: AuditRepository;
  readonly #limits: ExportLimits;

  constructor(deps: { audit: AuditRepository }, limits: ExportLimits = EXPORT_LIMITS) {
    this.#audit = deps.audit;
    this.#limits = limits;
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
  async export(caller: Caller, query: AuditExportQuery): Promise<AuditExport> {
    const filter = filterOf(caller, query);
    const first = await this.#audit.after(filter, query.after ?? 0, this.#limits.linesOfPage);
    return this.#pages(filter, first);
  }

  async *#pages(filter: AuditFilter, first: AuditEntry[]): AuditExport {
    const { linesOfPage, pagesMax } = this.#limits;
    let page = first;
    for (let count = 1; ; count += 1) {
      if (page.length > 0) yield page;
      const last = page.at(-1);
      if (last === undefined || page.length < linesOfPage) return 'all';
      if (count === pagesMax) return 'more';
      page = await this.#audit.after(filter, last.audit_id, linesOfPage);
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
