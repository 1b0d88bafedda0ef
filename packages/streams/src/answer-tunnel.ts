import type { ServerHttp2Stream } from 'node:http2';
import { CAUSES, type Cause } from '@tunnox/protocol/causes';
import { HEADER } from '@tunnox/protocol/names';

/** Answers a CONNECT stream with 200; from here on it carries bytes. False: the other side has gone meanwhile. */
export function acceptTunnel(stream: ServerHttp2Stream): boolean {
  if (stream.destroyed || stream.closed) return false;
  stream.respond({ ':status': 200 }, { endStream: false });
  return true;
}

/** Answers a CONNECT stream with the status of `cause` and ends it. */
export function refuseTunnel(stream: ServerHttp2Stream, cause: Cause, message: string): void {
  if (stream.destroyed || stream.closed) return;
  stream.respond(
    { ':status': CAUSES[cause].status, [HEADER.cause]: cause, [HEADER.message]: headerText(message) },
    { endStream: true },
  );
  // What the other side had already sent is not read: give its window back.
  stream.resume();
}

/** A header value may hold printable ASCII only (RFC 9110, section 5.5). */
function headerText(text: string): string {
  return text
    .replace(/[^\x21-\x7e]+/g, ' ')
    .trim()
    .slice(0, 300);
}
