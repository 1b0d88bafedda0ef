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

/** The same of a list that begins with the newest: rows that are added meanwhile do not move what comes after a cursor. */
export interface NewestPageRequest {
  limit: number;
  offset: number;
  /** Id before which the page begins; null: by `offset`. */
  before: number | null;
}

/** First letter of a cursor: a list in the order of its ids, or the other way round. */
type CursorMark = 'a' | 'b';

/** @throws {TunnoxError} `invalid` for a cursor that is none of ours. */
export function toPageRequest(query: PageQuery): PageRequest {
  const after = readCursor(query, 'a');
  return { limit: query.limit, offset: after === null ? offsetOf(query) : 0, after };
}

/** @throws {TunnoxError} `invalid` for a cursor that is none of ours. */
export function toNewestPageRequest(query: PageQuery): NewestPageRequest {
  const before = readCursor(query, 'b');
  return { limit: query.limit, offset: before === null ? offsetOf(query) : 0, before };
}

/** The answer of a list. @param idOf Id by which the rows are ordered. */
export function toPage<Plural extends string, Row, Item>(
  plural: Plural,
  query: PageQuery,
  page: PageRows<Row>,
  items: Item[],
  idOf: (row: Row) => number,
): Page<Plural, Item> {
  return answer(plural, query, page, items, idOf, 'a');
}

/** The answer of a list that begins with the newest. */
export function toNewestPage<Plural extends string, Item>(
  plural: Plural,
  query: PageQuery,
  page: PageRows<Item & { id: number }>,
): Page<Plural, Item> {
  const items = page.rows.map(({ id: _id, ...item }) => item as unknown as Item);
  return answer(plural, query, page, items, ({ id }) => id, 'b');
}

function readCursor({ cursor }: PageQuery, mark: CursorMark): number | null {
  if (cursor === undefined) return null;
  const id = /^([ab])([0-9]{1,16})$/.exec(cursor);
  if (id?.[1] !== mark) throw new TunnoxError('invalid', 'cursor must be the next_cursor of an earlier page');
  return Number(id[2]);
}

function offsetOf({ page, limit }: PageQuery): number {
  return (page - 1) * limit;
}

function answer<Plural extends string, Row, Item>(
  plural: Plural,
  query: PageQuery,
  { rows, total }: PageRows<Row>,
  items: Item[],
  idOf: (row: Row) => number,
  mark: CursorMark,
): Page<Plural, Item> {
  const last = rows.at(-1);
  const more = last !== undefined && rows.length === query.limit;
  return {
    [plural]: items,
    total,
    page: query.page,
    limit: query.limit,
    next_cursor: more ? `${mark}${idOf(last)}` : null,
  } as Page<Plural, Item>;
}
