import { isHostValue } from './http1/host-value.ts';
import type { RequestHead } from './http1/request-head.ts';
import type { ResponseHead } from './http1/parse-response-head.ts';

/**
 * Request head as the target gets it: always HTTP/1.1, in origin-form, hop-by-hop fields of our own only.
 *
 * @param hostHeader Replaces Host; null: kept.
 * @param forwarding Lines of `Forwarding.lines`.
 */
export function requestHeadText(head: RequestHead, hostHeader: string | null, forwarding: string): string {
  const keep = hostHeader === null || !isHostValue(hostHeader);
  const lines = keep ? head.lines : head.lines.replace(HOST_LINE, () => `\r\nHost: ${hostHeader}\r\n`);
  return lines + forwarding + hopLines(head);
}

const HOST_LINE = /\r\nhost:.*\r\n/i;

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

/** Head of a final response as the visitor gets it. @param lines Of `responseLines`. */
export function responseHeadText(head: ResponseHead, lines: string, hop: ResponseHop): string {
  let text = hop.unchunked ? lines.replace(TRANSFER_ENCODING, '') : lines;
  if (!head.hasDate) text += `Date: ${hop.date}\r\n`;
  if (head.status === 426 && head.upgrade !== null) {
    return `${text}Upgrade: ${head.upgrade}\r\nConnection: Upgrade${hop.close ? ', close' : ''}\r\n\r\n`;
  }
  if (hop.close) return `${text}Connection: close\r\n\r\n`;
  return hop.minorVersion === 0 ? `${text}Connection: keep-alive\r\n\r\n` : `${text}\r\n`;
}

const TRANSFER_ENCODING = /^transfer-encoding:.*\r\n/gim;
