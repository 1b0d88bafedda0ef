import { malformed } from './malformed.ts';

/** How the end of a body is found. `close`: it ends with the connection (responses only). */
export type Framing = { kind: 'none' } | { kind: 'length'; bytes: number } | { kind: 'chunked' } | { kind: 'close' };

export const NO_BODY: Framing = { kind: 'none' };
const CHUNKED: Framing = { kind: 'chunked' };
const UNTIL_CLOSE: Framing = { kind: 'close' };

/** What a head says about its body. Values that were repeated are kept as a count: one is the only good number. */
export interface FramingFields {
  contentLengths: number;
  /** -1: not a number. */
  contentLength: number;
  transferEncodings: number;
  transferEncoding: string;
  minorVersion: number;
}

/**
 * @throws {TunnoxError} `malformed` for everything that two parsers could understand in two ways
 * @see RFC 9112, section 6.3
 */
export function requestFraming(fields: FramingFields): Framing {
  return declaredFraming(fields) ?? NO_BODY;
}

/**
 * @param method Method of the request that is answered.
 * @throws {TunnoxError} `malformed`
 * @see RFC 9112, section 6.3
 */
export function responseFraming(fields: FramingFields, method: string, status: number): Framing {
  const declared = declaredFraming(fields);
  if (method === 'HEAD' || isBodyless(status)) return NO_BODY;
  return declared ?? UNTIL_CLOSE;
}

/** Responses that never have a body, whatever their fields say: 1xx, 204, 304. */
export function isBodyless(status: number): boolean {
  return status < 200 || status === 204 || status === 304;
}

function declaredFraming(fields: FramingFields): Framing | null {
  if (fields.transferEncodings > 0) {
    if (fields.contentLengths > 0) throw malformed('Content-Length and Transfer-Encoding exclude each other');
    if (fields.minorVersion === 0) throw malformed('HTTP/1.0 has no Transfer-Encoding');
    if (fields.transferEncodings > 1 || fields.transferEncoding.toLowerCase() !== 'chunked') {
      throw malformed('Transfer-Encoding must be chunked and nothing else');
    }
    return CHUNKED;
  }
  if (fields.contentLengths === 0) return null;
  if (fields.contentLengths > 1 || fields.contentLength < 0) throw malformed('Content-Length must be one number');
  return fields.contentLength === 0 ? NO_BODY : { kind: 'length', bytes: fields.contentLength };
}
