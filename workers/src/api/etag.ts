import { TunnoxError } from '@tunnox/domain/tunnox-error';
import type { Context } from 'hono';
import { z } from 'zod';
import type { IfVersion } from '../services/if-version.ts';

/**
 * How an operation on one object with a version takes `If-Match`: `request: { params, headers: ifMatch }` declares it,
 * `ifVersionOf(c)` reads it for the service, `withETag(c, object)` tells the version. The answer is declared with
 * `json(schema, '…', { headers: ['ETag'] })`.
 */
export const ifMatch = z.object({
  'If-Match': z.string().optional().meta({
    description: 'The change is made only if the object has one of these versions (`ETag`)',
    example: '"42"',
  }),
});

/** An entity tag and what comes before the next one. RFC 9110, section 8.8.3. */
const TAG = /^[\t ]*(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"[\t ]*(?:,|$)/;

/** Fits a double, as every version does. */
const VERSION = /^\d{1,15}$/;

/**
 * The versions that `If-Match` allows. Weak tags match nothing, nor do those that are no version of ours.
 *
 * @returns null: none was asked for, or any (`*`).
 * @throws {TunnoxError} `malformed`
 * @see RFC 9110, section 13.1.1
 */
export function parseIfMatch(header: string | undefined): IfVersion {
  if (header === undefined || header.trim() === '*') return null;
  const versions: number[] = [];
  let rest = header;
  while (rest.trim() !== '') {
    const [whole, weak, tag = ''] = TAG.exec(rest) ?? [];
    if (whole === undefined) throw new TunnoxError('malformed', 'If-Match must be *, or entity tags such as "42"');
    if (weak === undefined && VERSION.test(tag)) versions.push(Number(tag));
    rest = rest.slice(whole.length);
  }
  return versions;
}

/** The versions that the request allows. @throws {TunnoxError} `malformed` */
export function ifVersionOf(c: Context): IfVersion {
  return parseIfMatch(c.req.header('if-match'));
}

/** Tells an object's version in `ETag`, and gives the object back for the answer. */
export function withETag<Item extends { version: number }>(c: Context, object: Item): Item {
  c.header('etag', `"${object.version}"`);
  return object;
}
