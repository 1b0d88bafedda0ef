import type { RequestHead } from './http1/parse-request-head.ts';
import type { ResponseHead } from './http1/parse-response-head.ts';

/**
 * Request head as the target gets it: always HTTP/1.1, in origin-form, hop-by-hop fields of our own only.
 *
 * @param hostHeader Replaces Host; null: kept.
 * @param forwarding Lines of `Forwarding.lines`.
 */
export function requestHeadText(head: RequestHead, hostHeader: string | null, forwarding: string): string {
  return (
    `${head.method} ${head.target} HTTP/1.1\r\nHost: ${hostHeader ?? head.host}\r\n` +
    head.fields +
    forwarding +
    hopLines(head)
  );
}

function hopLines(head: RequestHead): string {
  if (head.upgrade === null) return head.acceptsTrailers ? 'TE: trailers\r\nConnection: TE\r\n\r\n' : '\r\n';
  return `Upgrade: ${head.upgrade}\r\nConnection: Upgrade\r\n\r\n`;
}

export interface ResponseHop {
  /** The connection ends after this response. */
  close: boolean;
  /** Minor version of the request: HTTP/1.0 must be told that the connection stays. */
  minorVersion: number;
  /** Value of Date for a target that has no clock. */
  date: string;
  /** The body is passed on without its chunks. */
  unchunked: boolean;
}

/** Head of a final response as the visitor gets it. */
export function responseHeadText(head: ResponseHead, hop: ResponseHop): string {
  let text = hop.unchunked ? head.lines.replace(TRANSFER_ENCODING, '') : head.lines;
  if (!head.hasDate) text += `Date: ${hop.date}\r\n`;
  if (head.status === 426 && head.upgrade !== null) {
    return `${text}Upgrade: ${head.upgrade}\r\nConnection: Upgrade${hop.close ? ', close' : ''}\r\n\r\n`;
  }
  if (hop.close) return `${text}Connection: close\r\n\r\n`;
  return hop.minorVersion === 0 ? `${text}Connection: keep-alive\r\n\r\n` : `${text}\r\n`;
}

/** Head of 101 Switching Protocols. */
export function switchingHeadText(head: ResponseHead): string {
  return `${head.lines}Upgrade: ${head.upgrade ?? ''}\r\nConnection: Upgrade\r\n\r\n`;
}

/** Head of an interim response other than 101. */
export function interimHeadText(head: ResponseHead): string {
  return `${head.lines}\r\n`;
}

const TRANSFER_ENCODING = /^transfer-encoding:.*\r\n/gim;
