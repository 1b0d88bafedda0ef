import { TunnoxError } from '@tunnox/domain/tunnox-error';

/** Where a walk through the routes goes on. */
export interface RouteCursor {
  /** Endpoint of the last row. */
  after: string;
  /** How many there were at its beginning: to count them anew for each page would read all of them. */
  total: number;
}

/** Endpoints are ASCII. */
export function encodeRouteCursor({ after, total }: RouteCursor): string {
  return btoa(`${total} ${after}`).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** @throws {TunnoxError} `invalid` for a cursor that is none of ours. */
export function decodeRouteCursor(cursor: string): RouteCursor {
  const [, total, after] = /^([0-9]{1,15}) ([\x21-\x7e]+)$/.exec(decode(cursor)) ?? [];
  if (after === undefined) throw new TunnoxError('invalid', 'cursor must be the next_cursor of an earlier page');
  return { after, total: Number(total) };
}

function decode(cursor: string): string {
  try {
    return atob(cursor.replaceAll('-', '+').replaceAll('_', '/'));
  } catch {
    return '';
  }
}
