import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { CR, IS_TARGET, IS_TOKEN, LF, SP } from './char-class.ts';
import { type ConnectionOptions, NO_OPTIONS, parseConnectionOptions, splitList } from './connection-options.ts';
import { FieldKind } from './field-kind.ts';
import { FieldTable } from './field-table.ts';
import { NO_BODY, requestFraming } from './framing.ts';
import { isHostValue } from './host-value.ts';
import { HEAD_BYTES_MAX } from './limits.ts';
import { malformed } from './malformed.ts';
import { refuseOrWait, refuseTooLarge, stillIncomplete } from './refuse-or-wait.ts';
import type { RequestHead } from './request-head.ts';
import { originTarget } from './request-target.ts';
import { withoutNamed } from './without-named.ts';

// Filled and read within one call, which never yields.
const table = new FieldTable();

/** ` HTTP/1.1` and CRLF. */
const VERSION_LENGTH = 10;
const SLASH = 0x2f;

/**
 * Parses one HTTP/1.x request head from `bytes[start, …)`. Empty lines before it are skipped.
 *
 * @param scannedTo Length of `bytes` at the last call that gave null for this head, else `start`.
 * @returns The head, or null while it is incomplete.
 * @throws {TunnoxError} `malformed`, `head_too_large`, `expectation_failed`: answer and close
 * @see RFC 9112, sections 2 to 6
 */
export function parseRequestHead(bytes: Buffer, start: number, scannedTo = start): RequestHead | null {
  const first = skipEmptyLines(bytes, start);
  if (first === -1) return null;
  if (stillIncomplete(bytes, first, scannedTo)) return null;

  let pos = first;
  while (IS_TOKEN[bytes[pos] as number] === 1) pos++;
  const methodEnd = pos;
  if (methodEnd === first || bytes[pos] !== SP) return refuseOrWait(bytes, first, pos, 'There is no proper method');
  const targetStart = ++pos;
  while (IS_TARGET[bytes[pos] as number] === 1) pos++;
  const targetEnd = pos;
  if (targetEnd === targetStart || bytes[pos] !== SP) return refuseOrWait(bytes, first, pos, 'The target is no path');
  const minorVersion = versionAt(bytes, ++pos);
  if (minorVersion === -1) return refuseOrWait(bytes, first, pos, 'The version must be HTTP/1.1 or HTTP/1.0');
  const fieldsStart = pos + VERSION_LENGTH;
  if (!table.fill(bytes, fieldsStart)) return refuseOrWait(bytes, first, table.badAt, 'A field line is not proper');
  refuseTooLarge(table.end, first + HEAD_BYTES_MAX);

  const text = bytes.toString('latin1', first, table.end);
  const method = text.slice(0, methodEnd - first);
  const head = readFields(bytes, text, first, method, minorVersion);
  if (minorVersion === 0 || bytes[targetStart] !== SLASH) {
    const target = originTarget(text.slice(targetStart - first, targetEnd - first), method, head.host);
    head.lines = `${method} ${target} HTTP/1.1\r\n${head.lines.slice(fieldsStart - first)}`;
  }
  return head;
}

/** RFC 9112, section 2.2: a client may send CRLF too much after a body. @returns -1 while that cannot be told */
function skipEmptyLines(bytes: Buffer, start: number): number {
  let pos = start;
  while (bytes[pos] === CR) {
    if (pos + 1 >= bytes.length) return -1;
    if (bytes[pos + 1] !== LF) throw malformed('CR without LF');
    pos += 2;
  }
  return pos;
}

/** Minor version of `HTTP/1.x CRLF` at `pos`, -1 for everything else. */
function versionAt(bytes: Buffer, pos: number): number {
  const minor = bytes[pos + 7];
  const known =
    bytes[pos] === 0x48 &&
    bytes[pos + 1] === 0x54 &&
    bytes[pos + 2] === 0x54 &&
    bytes[pos + 3] === 0x50 &&
    bytes[pos + 4] === SLASH &&
    bytes[pos + 5] === 0x31 &&
    bytes[pos + 6] === 0x2e &&
    (minor === 0x30 || minor === 0x31) &&
    bytes[pos + 8] === CR &&
    bytes[pos + 9] === LF;
  return known ? minor - 0x30 : -1;
}

function readFields(bytes: Buffer, text: string, base: number, method: string, minorVersion: number): RequestHead {
  const { end } = table;
  let hosts = 0;
  let host = '';
  let contentLengths = 0;
  let contentLength = 0;
  let transferEncodings = 0;
  let transferEncoding = '';
  let connection = '';
  let upgrade = '';
  let te = '';
  let via = '';
  let expect = '';
  let forwarding = '';
  let kept = '';
  // Lines that are kept stand together most of the time: they are copied as runs.
  let runStart = 0;
  for (let i = 0; i < table.count; i++) {
    let keep = false;
    switch (table.kind(i)) {
      case FieldKind.host:
        hosts++;
        host = table.value(i, bytes);
        keep = true;
        break;
      case FieldKind.contentLength:
        contentLengths++;
        contentLength = table.number(i, bytes);
        break;
      case FieldKind.transferEncoding:
        transferEncodings++;
        transferEncoding = table.value(i, bytes);
        break;
      case FieldKind.connection:
        connection = joined(connection, table.value(i, bytes));
        break;
      case FieldKind.upgrade:
        upgrade = joined(upgrade, table.value(i, bytes));
        break;
      case FieldKind.te:
        te = joined(te, table.value(i, bytes));
        break;
      case FieldKind.via:
        via = joined(via, table.value(i, bytes));
        keep = true;
        break;
      case FieldKind.expect:
        expect = joined(expect, table.value(i, bytes));
        // HTTP/1.0 has no interim responses (RFC 9110, section 10.1.1).
        keep = minorVersion === 1;
        break;
      case FieldKind.forwarding:
        forwarding += text.slice(table.lineStart(i) - base, table.lineEnd(i) - base);
        break;
      case FieldKind.hopByHop:
        break;
      case FieldKind.date:
      case FieldKind.other:
        keep = true;
        break;
    }
    if (keep) continue;
    kept += text.slice(runStart, table.lineStart(i) - base);
    runStart = table.lineEnd(i) - base;
  }
  kept += text.slice(runStart, end - 2 - base);

  if (hosts !== 1 || !isHostValue(host)) throw malformed('A request must have one Host header that names a host');
  const framing =
    contentLengths + transferEncodings === 0
      ? NO_BODY
      : requestFraming({ contentLengths, contentLength, transferEncodings, transferEncoding, minorVersion });
  if (minorVersion === 1 && expect !== '' && expect.toLowerCase() !== '100-continue') {
    throw new TunnoxError('expectation_failed', 'The only expectation that is known is 100-continue');
  }
  const options = connection === '' ? NO_OPTIONS : parseConnectionOptions(connection);
  if (options.names !== null) kept = withoutNamed(kept, options.names);
  // Written anew: a spelling that we understand must not be one that a target overlooks.
  if (transferEncodings > 0) kept += 'Transfer-Encoding: chunked\r\n';
  else if (contentLengths > 0) kept += `Content-Length: ${contentLength}\r\n`;
  return {
    end,
    method,
    minorVersion,
    host,
    framing,
    keepAlive: minorVersion === 1 ? !options.close : options.keepAlive && !options.close,
    upgrade: upgrade === '' ? null : wantedUpgrade(upgrade, options, minorVersion),
    expectContinue: minorVersion === 1 && expect !== '' && framing.kind !== 'none',
    acceptsTrailers: te !== '' && options.names?.has('te') === true && acceptsTrailers(te),
    lines: kept,
    forwarding,
    via,
  };
}

function joined(before: string, value: string): string {
  return before === '' ? value : `${before}, ${value}`;
}

/** h2c would put requests into the tunnel that nobody here reads. */
function wantedUpgrade(upgrade: string, options: ConnectionOptions, minorVersion: number): string | null {
  if (!options.upgrade || minorVersion === 0) return null;
  return splitList(upgrade.toLowerCase()).some((protocol) => /^h2c?(?:$|\/)/.test(protocol)) ? null : upgrade;
}

function acceptsTrailers(te: string): boolean {
  return splitList(te.toLowerCase()).some((coding) => coding === 'trailers');
}
