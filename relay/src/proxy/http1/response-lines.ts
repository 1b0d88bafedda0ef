import { SP } from './char-class.ts';
import { REASON_AT, type ResponseHead } from './parse-response-head.ts';
import { withoutNamed } from './without-named.ts';

/**
 * What is passed on of a response head: the status line with HTTP/1.1 and the end-to-end field lines as sent, each with
 * its CRLF.
 *
 * @param bytes The buffer that the head was parsed from.
 */
export function responseLines(bytes: Buffer, head: ResponseHead): string {
  let lines = '';
  let from = head.start;
  for (let i = 0; i < head.drops.length; i += 2) {
    lines += bytes.toString('latin1', from, head.drops[i]);
    from = head.drops[i + 1] as number;
  }
  lines += bytes.toString('latin1', from, head.end - 2);
  if (!hasPlainStatusLine(bytes, head)) lines = `HTTP/1.1 ${head.status} ${lines.slice(REASON_AT).replace(/^ /, '')}`;
  return head.dropNames === null ? lines : withoutNamed(lines, head.dropNames);
}

/** Whether all that has to be done to the head's bytes is to leave out `drops`. */
export function isPlain(bytes: Buffer, head: ResponseHead): boolean {
  return head.dropNames === null && hasPlainStatusLine(bytes, head);
}

function hasPlainStatusLine(bytes: Buffer, { start, minorVersion }: ResponseHead): boolean {
  return minorVersion === 1 && bytes[start + REASON_AT] === SP;
}
