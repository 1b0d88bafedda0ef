import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { CR, IS_TARGET, IS_TOKEN, LF, SP } from './char-class.ts';
import { type ConnectionOptions, NO_OPTIONS, parseConnectionOptions, splitList } from './connection-options.ts';
import { FieldKind } from './field-kind.ts';
import { FieldTable } from './field-table.ts';
import { findHeadEnd } from './find-head-end.ts';
import { type Framing, requestFraming } from './framing.ts';
import { malformed } from './malformed.ts';
import { originTarget } from './request-target.ts';
import { withoutNamed } from './without-named.ts';

/** A request head that was checked and taken apart. */
export interface RequestHead {
  /** Index after the head in the buffer that was parsed. */
  end: number;
  /** As sent: methods are case-sensitive. */
  method: string;
  /** Origin-form, or `*`. */
  target: string;
  /** 0 or 1: HTTP/1.0 or HTTP/1.1. */
  minorVersion: number;
  /** Host as sent, with its port; never empty. */
  host: string;
  framing: Framing;
  /** Whether the visitor wants to send more requests on this connection. */
  keepAlive: boolean;
  /** Protocols to change to, as sent; null: none, or one that is never passed on (h2c). */
  upgrade: string | null;
  /** The visitor waits for 100 before it sends the body. */
  expectContinue: boolean;
  /** The visitor can read trailer fields (`TE: trailers`). */
  acceptsTrailers: boolean;
  /** End-to-end field lines without Host, each with its CRLF, as sent. */
  fields: string;
  /** `Forwarded`, `X-Forwarded-*` and `X-Real-IP` lines as sent; empty if there are none. */
  forwarding: string;
  /** Values of `Via`, joined by commas; empty if there are none. */
  via: string;
}

// Filled and read within one call, which never yields.
const table = new FieldTable();

const HOST_VALUE = /^(?:\[[0-9a-f:.]+\]|[a-z0-9\-._~!$&'()*+,;=%]+)(?::[0-9]{0,5})?$/i;

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
  const end = findHeadEnd(bytes, first, Math.max(first, scannedTo));
  if (end === -1) return null;

  let pos = first;
  while (IS_TOKEN[bytes[pos] as number] === 1) pos++;
  const methodEnd = pos;
  if (methodEnd === first || bytes[pos++] !== SP) throw malformed('The request line has no method');
  const targetStart = pos;
  while (IS_TARGET[bytes[pos] as number] === 1) pos++;
  const targetEnd = pos;
  if (targetEnd === targetStart || bytes[pos++] !== SP) throw malformed('The request target has a forbidden character');
  const minorVersion = versionAt(bytes, pos);
  const fieldsStart = pos + 10;
  table.fill(bytes, fieldsStart, end - 2);

  const text = bytes.toString('latin1', first, end);
  const method = text.slice(0, methodEnd - first);
  return readFields(text, first, end, fieldsStart, method, text.slice(targetStart - first, targetEnd - first), minorVersion);
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

/** Minor version of `HTTP/1.x CRLF` at `pos`. */
function versionAt(bytes: Buffer, pos: number): number {
  const minor = bytes[pos + 7];
  const known =
    bytes[pos] === 0x48 &&
    bytes[pos + 1] === 0x54 &&
    bytes[pos + 2] === 0x54 &&
    bytes[pos + 3] === 0x50 &&
    bytes[pos + 4] === 0x2f &&
    bytes[pos + 5] === 0x31 &&
    bytes[pos + 6] === 0x2e &&
    (minor === 0x30 || minor === 0x31) &&
    bytes[pos + 8] === CR &&
    bytes[pos + 9] === LF;
  if (!known) throw malformed('The request line must end with HTTP/1.1 or HTTP/1.0');
  return minor - 0x30;
}

function readFields(
  text: string,
  base: number,
  end: number,
  fieldsStart: number,
  method: string,
  target: string,
  minorVersion: number,
): RequestHead {
  let hosts = 0;
  let host = '';
  let contentLengths = 0;
  let contentLength = '';
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
  let runStart = fieldsStart;
  for (let i = 0; i < table.count; i++) {
    const kind = table.kind(i);
    if (kind === FieldKind.other || kind === FieldKind.date) continue;
    let keep = false;
    switch (kind) {
      case FieldKind.host:
        hosts++;
        host = table.value(i, text, base);
        break;
      case FieldKind.contentLength:
        contentLengths++;
        contentLength = table.value(i, text, base);
        keep = true;
        break;
      case FieldKind.transferEncoding:
        transferEncodings++;
        transferEncoding = table.value(i, text, base);
        keep = true;
        break;
      case FieldKind.connection:
        connection = joined(connection, table.value(i, text, base));
        break;
      case FieldKind.upgrade:
        upgrade = joined(upgrade, table.value(i, text, base));
        break;
      case FieldKind.te:
        te = joined(te, table.value(i, text, base));
        break;
      case FieldKind.via:
        via = joined(via, table.value(i, text, base));
        keep = true;
        break;
      case FieldKind.expect:
        expect = joined(expect, table.value(i, text, base));
        // HTTP/1.0 has no interim responses (RFC 9110, section 10.1.1).
        keep = minorVersion === 1;
        break;
      case FieldKind.forwarding:
        forwarding += text.slice(table.lineStart(i) - base, table.lineEnd(i) - base);
        break;
      case FieldKind.hopByHop:
        break;
    }
    if (keep) continue;
    kept += text.slice(runStart - base, table.lineStart(i) - base);
    runStart = table.lineEnd(i);
  }
  kept += text.slice(runStart - base, end - 2 - base);

  if (hosts !== 1 || !HOST_VALUE.test(host)) throw malformed('A request must have one Host header that names a host');
  const framing = requestFraming({ contentLengths, contentLength, transferEncodings, transferEncoding, minorVersion });
  const originForm = originTarget(target, method, host);
  if (minorVersion === 1 && expect !== '' && expect.toLowerCase() !== '100-continue') {
    throw new TunnoxError('expectation_failed', 'The only expectation that is known is 100-continue');
  }
  const options = connection === '' ? NO_OPTIONS : parseConnectionOptions(connection);
  if (options.names !== null) kept = withoutNamed(kept, options.names);
  return {
    end,
    method,
    target: originForm,
    minorVersion,
    host,
    framing,
    keepAlive: minorVersion === 1 ? !options.close : options.keepAlive && !options.close,
    upgrade: upgrade === '' ? null : wantedUpgrade(upgrade, options, minorVersion),
    expectContinue: minorVersion === 1 && expect !== '' && framing.kind !== 'none',
    acceptsTrailers: te !== '' && options.names !== null && options.names.has('te') && acceptsTrailers(te),
    fields: kept,
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
