import { CR, IS_FIELD_VALUE, LF, SP } from './char-class.ts';
import { NO_OPTIONS, parseConnectionOptions } from './connection-options.ts';
import { FieldKind } from './field-kind.ts';
import { FieldTable } from './field-table.ts';
import { type Framing, isBodyless, responseFraming } from './framing.ts';
import { HEAD_BYTES_MAX } from './limits.ts';
import { refuseOrWait, refuseTooLarge, stillIncomplete } from './refuse-or-wait.ts';

/** A response head that was checked and taken apart. Its lines stay in the buffer until they are needed. */
export interface ResponseHead {
  /** Where the head begins in the buffer that was parsed, and the index after it. */
  start: number;
  end: number;
  /** 100 to 999. */
  status: number;
  /** x of HTTP/1.x. */
  minorVersion: number;
  framing: Framing;
  /** Whether the target takes another request on this connection. */
  keepAlive: boolean;
  /** Value of `Upgrade`; null if there is none. */
  upgrade: string | null;
  hasDate: boolean;
  /** Where each line that is not passed on begins and ends, in order. */
  drops: readonly number[];
  /** Lower-case names of more fields that are not passed on, which `Connection` names; null: none. */
  dropNames: ReadonlySet<string> | null;
}

// Filled and read within one call, which never yields.
const table = new FieldTable();

const NO_DROPS: readonly number[] = [];
const ZERO = 0x30;
const NINE = 0x39;
/** Offsets in `HTTP/1.1 200 OK`. */
const MINOR_AT = 7;
const STATUS_AT = 9;
export const REASON_AT = 12;
const VERSION = Buffer.from('HTTP/1.');

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
  if (stillIncomplete(bytes, start, scannedTo)) return null;
  const status = statusAt(bytes, start);
  if (status === -1) return refuseOrWait(bytes, start, start, 'There is no HTTP/1.x status line');
  let pos = start + REASON_AT;
  while (IS_FIELD_VALUE[bytes[pos] as number] === 1) pos++;
  if (bytes[pos] !== CR || bytes[pos + 1] !== LF) return refuseOrWait(bytes, start, pos, 'The reason is not proper');
  if (!table.fill(bytes, pos + 2)) return refuseOrWait(bytes, start, table.badAt, 'A field line is not proper');
  refuseTooLarge(table.end, start + HEAD_BYTES_MAX);
  return readFields(bytes, start, method, status);
}

/** Status in `HTTP/1.x 200`, -1 for everything else. A reason may be missing with its space: it says nothing. */
function statusAt(bytes: Buffer, start: number): number {
  for (let i = 0; i < MINOR_AT; i++) if (bytes[start + i] !== VERSION[i]) return -1;
  let status = 0;
  for (let at = start + STATUS_AT; at < start + REASON_AT; at++) {
    if (!isDigit(bytes[at])) return -1;
    status = status * 10 + (bytes[at] as number) - ZERO;
  }
  const after = bytes[start + REASON_AT];
  const spaced = bytes[start + STATUS_AT - 1] === SP && (after === SP || after === CR);
  return spaced && isDigit(bytes[start + MINOR_AT]) && status >= 100 ? status : -1;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}

function readFields(bytes: Buffer, start: number, method: string, status: number): ResponseHead {
  let contentLengths = 0;
  let contentLength = 0;
  let transferEncodings = 0;
  let transferEncoding = '';
  let connection = '';
  let upgrade = '';
  let hasDate = false;
  const bodyless = isBodyless(status);
  let drops: number[] | null = null as number[] | null;
  for (let i = 0; i < table.count; i++) {
    let keep = true;
    switch (table.kind(i)) {
      case FieldKind.date:
        hasDate = true;
        break;
      case FieldKind.contentLength:
        contentLengths++;
        contentLength = table.number(i, bytes);
        // RFC 9110, section 8.6: never with 1xx or 204; 304 says with it what GET would have had.
        keep = !bodyless || status === 304;
        break;
      case FieldKind.transferEncoding:
        transferEncodings++;
        transferEncoding = table.value(i, bytes);
        keep = !bodyless;
        break;
      case FieldKind.connection:
        connection = joined(connection, table.value(i, bytes));
        keep = false;
        break;
      case FieldKind.upgrade:
        upgrade = joined(upgrade, table.value(i, bytes));
        keep = false;
        break;
      case FieldKind.hopByHop:
      case FieldKind.te:
        keep = false;
        break;
      case FieldKind.host:
      case FieldKind.expect:
      case FieldKind.forwarding:
      case FieldKind.via:
      case FieldKind.other:
        break;
    }
    if (keep) continue;
    drops ??= [];
    // Lines that follow each other are one range.
    if (drops.at(-1) === table.lineStart(i)) drops[drops.length - 1] = table.lineEnd(i);
    else drops.push(table.lineStart(i), table.lineEnd(i));
  }

  const minorVersion = (bytes[start + MINOR_AT] as number) - ZERO;
  const fields = { contentLengths, contentLength, transferEncodings, transferEncoding, minorVersion };
  const framing = responseFraming(fields, method, status);
  const options = connection === '' ? NO_OPTIONS : parseConnectionOptions(connection);
  return {
    start,
    end: table.end,
    status,
    minorVersion,
    framing,
    keepAlive: minorVersion >= 1 && !options.close && framing.kind !== 'close',
    upgrade: upgrade === '' ? null : upgrade,
    hasDate,
    drops: drops ?? NO_DROPS,
    dropNames: options.names,
  };
}

function joined(before: string, value: string): string {
  return before === '' ? value : `${before}, ${value}`;
}
