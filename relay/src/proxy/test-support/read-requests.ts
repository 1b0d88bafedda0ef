import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { BodyScanner } from '../http1/body-scanner.ts';
import { parseRequestHead } from '../http1/parse-request-head.ts';
import { requestHeadText } from '../rewrite-head.ts';

export interface ReadRequest {
  method: string;
  /** What a target would be sent, head and body. */
  forwarded: string;
  /** The body without its framing. */
  payload: string;
}

export interface ReadRequests {
  requests: ReadRequest[];
  /** Code of the error that ended the reading; null: the bytes just ended. */
  error: string | null;
}

/**
 * Reads requests as a connection does, from bytes that arrive in the given pieces.
 *
 * @throws whatever is no TunnoxError: a bug
 */
export function readRequests(pieces: readonly Buffer[]): ReadRequests {
  const requests: ReadRequest[] = [];
  let input = Buffer.alloc(0);
  let scannedTo = 0;
  let body: BodyScanner | null = null;
  let current: ReadRequest | null = null;
  try {
    for (const piece of pieces) {
      input = Buffer.concat([input, piece]);
      for (let progress = true; progress;) {
        progress = false;
        if (body === null) {
          const head = parseRequestHead(input, 0, scannedTo);
          if (head === null) {
            scannedTo = input.length;
            continue;
          }
          scannedTo = 0;
          input = input.subarray(head.end);
          body = new BodyScanner(head.framing);
          current = { method: head.method, forwarded: requestHeadText(head, null, ''), payload: '' };
        }
        const request = current as ReadRequest;
        if (!body.done && input.length > 0) {
          const bytes = input;
          const payload = (from: number, to: number): void =>
            void (request.payload += bytes.toString('latin1', from, to));
          body.scan(bytes, 0, payload);
          if (body.framing.kind === 'length') payload(0, body.passTo);
          request.forwarded += bytes.toString('latin1', 0, body.passTo) + body.trailer;
          input = bytes.subarray(body.consumed);
        }
        if (!body.done) continue;
        requests.push(request);
        body = null;
        progress = input.length > 0;
      }
    }
  } catch (error) {
    if (!(error instanceof TunnoxError)) throw error;
    return { requests, error: error.code };
  }
  return { requests, error: null };
}

/** Cuts bytes at the given places. */
export function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  const pieces: Buffer[] = [];
  let from = 0;
  for (const place of [...sorted, bytes.length]) {
    pieces.push(bytes.subarray(from, place));
    from = place;
  }
  return pieces;
}
