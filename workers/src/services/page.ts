import type { Page, PageQuery } from '@tunnox/domain/api/common';
import { TunnoxError } from '@tunnox/domain/tunnox-error';

/** Which rows of a list are wanted: those after `after`, or else those of a page by number. */
export interface PageRequest {
  limit: number;
  offset: number;
  /** Id after which the page begins; null: by `offset`. */
  after: number | null;
}

export interface PageRows<Row> {
  rows: Row[];
  total: number;
}

/** @throws {TunnoxError} `invalid` for a cursor that is none of ours. */
export function toPageRequest(query: PageQuery): PageRequest {
  if (query.cursor === undefined) return { limit: query.limit, offset: (query.page - 1) * query.limit, after: null };
  const after = /^a([0-9]{1,16})$/.exec(query.cursor)?.[1];
  if (after === undefined) throw new TunnoxError('invalid', 'cursor must be the next_cursor of an earlier page');
  return { limit: query.limit, offset: 0, after: Number(after) };
}

/** The answer of a list. @param idOf Id by which the rows are ordered. */
export function toPage<Plural extends string, Row, Item>(
  plural: Plural,
  query: PageQuery,
  { rows, total }: PageRows<Row>,
  items: Item[],
  idOf: (row: Row) => number,
): Page<Plural, Item> {
  const last = rows.at(-1);
  const more = last !== undefined && rows.length === query.limit;
  return {
    [plural]: items,
    total,
    page: query.page,
    limit: query.limit,
    next_cursor: more ? `a${idOf(last)}` : null,
  } as Page<Plural, Item>;
}
