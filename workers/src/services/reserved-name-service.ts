import type { Page, PageQuery } from '@tunnox/domain/api/common';
import type { ReservedName } from '@tunnox/domain/api/reserved-names';
import { toAsciiName } from '@tunnox/domain/host-name';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { type AuditEntry, auditOf } from './audit.ts';
import type { PageRows } from './page.ts';
import { type Caller, invalid, notFound, requireOperator } from './principal.ts';

export interface ReservedNameRepository {
  /** In the order of the names; `after` null: by `offset`. */
  list(page: { limit: number; offset: number; after: string | null }): Promise<PageRows<ReservedName>>;
  /** @returns false: there is no such user. */
  put(name: ReservedName, audit: AuditEntry): Promise<boolean>;
  /** @returns false: it was not there. */
  remove(name: string, audit: AuditEntry): Promise<boolean>;
}

/** Names that operators keep back, and those in quarantine. Whoever has a name already keeps it. */
export class ReservedNameService {
  readonly #names: ReservedNameRepository;

  constructor(deps: { names: ReservedNameRepository }) {
    this.#names = deps.names;
  }

  async list(caller: Caller, query: PageQuery): Promise<Page<'reserved_names', ReservedName>> {
    requireOperator(caller);
    const { page, limit, cursor } = query;
    const after = cursor === undefined ? null : afterOf(cursor);
    const { rows, total } = await this.#names.list({ limit, offset: after === null ? (page - 1) * limit : 0, after });
    const last = rows.length === limit ? rows.at(-1) : undefined;
    return { reserved_names: rows, total, page, limit, next_cursor: last === undefined ? null : `a${last.name}` };
  }

  async put(caller: Caller, name: string, body: Omit<ReservedName, 'name'>): Promise<ReservedName> {
    requireOperator(caller);
    const reserved = { ...body, name: normalize(name) };
    if (!(await this.#names.put(reserved, auditOf(caller, 'reserved_name.put', { after: reserved })))) {
      throw invalid('/user_id', 'must be a user that exists');
    }
    return reserved;
  }

  async remove(caller: Caller, name: string): Promise<void> {
    requireOperator(caller);
    const normal = normalize(name);
    const removed = await this.#names.remove(
      normal,
      auditOf(caller, 'reserved_name.delete', { before: { name: normal } }),
    );
    if (!removed) throw notFound('reserved name', normal);
  }
}

function normalize(name: string): string {
  // A label alone would be read as a number or an address.
  const ascii = name.includes('.')
    ? toAsciiName(name)
    : (toAsciiName(`${name}.example`)?.slice(0, -'.example'.length) ?? null);
  if (ascii === null || ascii === '') throw invalid('/path/name', 'must be a label or a whole name');
  return ascii;
}

function afterOf(cursor: string): string {
  const after = /^a([a-z0-9_.-]{1,253})$/.exec(cursor)?.[1];
  if (after === undefined) throw new TunnoxError('invalid', 'cursor must be the next_cursor of an earlier page');
  return after;
}
