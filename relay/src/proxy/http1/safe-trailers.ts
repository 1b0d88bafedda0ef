import { FieldKind, fieldKindOf } from './field-kind.ts';
import { FieldTable } from './field-table.ts';
import { refuseOrWait } from './refuse-or-wait.ts';

// Filled and read within one call, which never yields.
const table = new FieldTable();

/** Fields that steer routing, authentication, caching or how a body is read, beside those that have a `FieldKind`. */
const FORBIDDEN: ReadonlySet<string> = new Set([
  'age',
  'authorization',
  'cache-control',
  'content-encoding',
  'content-range',
  'content-type',
  'cookie',
  'expires',
  'location',
  'max-forwards',
  'pragma',
  'range',
  'retry-after',
  'set-cookie',
  'trailer',
  'vary',
  'warning',
  'www-authenticate',
]);

/** What may be passed on of a trailer section: its lines and the blank line; `end`: index after it as it was sent. */
export interface TrailerSection {
  text: string;
  end: number;
}

/**
 * Reads the trailer section at the front of `bytes`. A program that merges trailers into the head must not be led by
 * them, so whatever may only stand in a head is dropped.
 *
 * @returns null while the section is incomplete
 * @throws {TunnoxError} `malformed`, `head_too_large`
 * @see RFC 9110, section 6.5.1; RFC 7230, section 4.1.2
 */
export function safeTrailers(bytes: Buffer): TrailerSection | null {
  if (!table.fill(bytes, 0)) return refuseOrWait(bytes, 0, table.badAt, 'A trailer field is not proper');
  const { end } = table;
  const lines = bytes.toString('latin1', 0, end).split(/(?<=\r\n)/);
  const text = lines.filter((line) => line === '\r\n' || isSafe(line.slice(0, line.indexOf(':')))).join('');
  return { text, end };
}

function isSafe(name: string): boolean {
  const bytes = Buffer.from(name, 'latin1');
  const folded = name.toLowerCase().replaceAll('_', '-');
  return fieldKindOf(bytes, 0, bytes.length) === FieldKind.other && !FORBIDDEN.has(folded);
}
