import { CR, IS_FIELD_VALUE, LF, SP } from './char-class.ts';
import { NO_OPTIONS, parseConnectionOptions } from './connection-options.ts';
import { FieldKind } from './field-kind.ts';
import { FieldTable } from './field-table.ts';
import { findHeadEnd } from './find-head-end.ts';
import { type Framing, isBodyless, responseFraming } from './framing.ts';
import { malformed } from './malformed.ts';
import { withoutNamed } from './without-named.ts';

/** A response head that was checked and taken apart. */
export interface ResponseHead {
  /** Index after the head in the buffer that was parsed. */
  end: number;
  /** 100 to 999. */
  status: number;
  framing: Framing;
  /** Whether the target takes another request on this connection. */
  keepAlive: boolean;
  /** Value of `Upgrade`; null if there is none. */
  upgrade: string | null;
  hasDate: boolean;
  /** Status line (always HTTP/1.1) and end-to-end field lines, each with its CRLF. */
  lines: string;
}

// Filled and read within one call, which never yields.
const table = new FieldTable();

/**
 * Parses one HTTP/1.x response head from `bytes[start, …)`.
 *
 * @param method Method of the request that is answered: it decides whether there is a body.
 * @param scannedTo Length of `bytes` at the last call that gave null for this head, else `start`.
 * @returns The head, or null while it is incomplete.
 * @throws {TunnoxError} `malformed`, `head_too_large`: the target cannot be understood
 * @see RFC 9112, sections 4 to 6
 */
export function parseResponseHead(
  bytes: Buffer,
  start: number,
  method: string,
  scannedTo = start,
): ResponseHead | null {
  const end = findHeadEnd(bytes, start, scannedTo);
  if (end === -1) return null;
  const text = bytes.toString('latin1', start, end);
  const status = /^HTTP\/1\.[0-9] ([1-9][0-9]{2})(?= |\r\n)/.exec(text)?.[1];
  if (status === undefined) throw malformed('The answer does not begin with an HTTP/1.x status line');
  let pos = start + 12;
  while (IS_FIELD_VALUE[bytes[pos] as number] === 1) pos++;
  if (bytes[pos] !== CR || bytes[pos + 1] !== LF) throw malformed('The status line has a forbidden character');
  table.fill(bytes, pos + 2, end - 2);
  return readFields(text, start, end, pos, method, Number(status), bytes[start + 7] === 0x30 ? 0 : 1, bytes);
}

function readFields(
  text: string,
  base: number,
  end: number,
  statusLineEnd: number,
  method: string,
  status: number,
  minorVersion: number,
  bytes: Buffer,
): ResponseHead {
  let contentLengths = 0;
  let contentLength = '';
  let transferEncodings = 0;
  let transferEncoding = '';
  let connection = '';
  let upgrade = '';
  let hasDate = false;
  const bodyless = isBodyless(status);
  // A reason may be missing with its space (sloppy, but not ambiguous); a status line has both.
  const complete = bytes[base + 12] === SP;
  let kept = 'HTTP/1.1';
  let runStart = base + 8;
  if (!complete) {
    kept = `HTTP/1.1 ${status} `;
    runStart = statusLineEnd;
  }
  for (let i = 0; i < table.count; i++) {
    const kind = table.kind(i);
    if (kind === FieldKind.other) continue;
    let keep = true;
    switch (kind) {
      case FieldKind.date:
        hasDate = true;
        break;
      case FieldKind.contentLength:
        contentLengths++;
        contentLength = table.value(i, text, base);
        // RFC 9110, section 8.6: never with 1xx or 204; 304 says with it what GET would have had.
        keep = !bodyless || status === 304;
        break;
      case FieldKind.transferEncoding:
        transferEncodings++;
        transferEncoding = table.value(i, text, base);
        keep = !bodyless;
        break;
      case FieldKind.connection: {
        const value = table.value(i, text, base);
        connection = connection === '' ? value : `${connection}, ${value}`;
        keep = false;
        break;
      }
      case FieldKind.upgrade: {
        const value = table.value(i, text, base);
        upgrade = upgrade === '' ? value : `${upgrade}, ${value}`;
        keep = false;
        break;
      }
      case FieldKind.hopByHop:
      case FieldKind.te:
        keep = false;
        break;
      case FieldKind.host:
      case FieldKind.expect:
      case FieldKind.forwarding:
      case FieldKind.via:
        break;
    }
    if (keep) continue;
    kept += text.slice(runStart - base, table.lineStart(i) - base);
    runStart = table.lineEnd(i);
  }
  kept += text.slice(runStart - base, end - 2 - base);

  const framing = responseFraming(
    { contentLengths, contentLength, transferEncodings, transferEncoding, minorVersion },
    method,
    status,
  );
  const options = connection === '' ? NO_OPTIONS : parseConnectionOptions(connection);
  if (options.names !== null) {
    const statusLine = kept.slice(0, kept.indexOf('\r\n') + 2);
    kept = statusLine + withoutNamed(kept.slice(statusLine.length), options.names);
  }
  return {
    end,
    status,
    framing,
    keepAlive: minorVersion === 1 && !options.close && framing.kind !== 'close',
    upgrade: upgrade === '' ? null : upgrade,
    hasDate,
    lines: kept,
  };
}
