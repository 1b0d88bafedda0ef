import { FieldKind } from './field-kind.ts';
import { FieldTable } from './field-table.ts';

// Filled and read within one call, which never yields.
const table = new FieldTable();

/** Fields that steer framing, routing, authentication, caching or how a body is read. */
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

/**
 * Trailer section that may be passed on. A program that merges trailers into the head must not be led by them, so
 * whatever may only stand in a head is dropped.
 *
 * @param section Field lines and the blank line.
 * @returns The remaining lines and the blank line.
 * @throws {TunnoxError} `malformed`, `head_too_large`
 * @see RFC 9110, section 6.5.1; RFC 7230, section 4.1.2
 */
export function safeTrailers(section: Buffer): string {
  table.fill(section, 0, section.length - 2);
  const text = section.toString('latin1', 0, section.length);
  let kept = '';
  for (let i = 0; i < table.count; i++) {
    if (table.kind(i) !== FieldKind.other || FORBIDDEN.has(table.name(i, text, 0).toLowerCase())) continue;
    kept += text.slice(table.lineStart(i), table.lineEnd(i));
  }
  return `${kept}\r\n`;
}
