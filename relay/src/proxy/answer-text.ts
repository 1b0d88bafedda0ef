import { STATUS_CODES } from 'node:http';
import type { Answer } from './answer.ts';
import { answerBody, type AnswerBody } from './answer-body.ts';

export interface ResponseFrame {
  /** Of the request, null if there was none that could be read. */
  method: string | null;
  minorVersion: number;
  /** The connection ends after this answer. */
  close: boolean;
  /** Value of Date. */
  date: string;
}

/** A whole response with an answer of our own. @returns Latin-1 string of the bytes to send */
export function answerText(answer: Answer, frame: ResponseFrame & { accept: string | null }): string {
  let fields = `Tunnox-Error: ${answer.code}\r\n`;
  if (answer.retryAfterS !== undefined) fields += `Retry-After: ${answer.retryAfterS}\r\n`;
  if (answer.allow !== undefined) fields += `Allow: ${answer.allow}\r\n`;
  return responseText(answer.status, fields, answerBody(answer, frame.accept), frame);
}

/**
 * @param fields More field lines, each with its CRLF.
 * @returns Latin-1 string of the bytes to send.
 */
export function responseText(
  status: number,
  fields: string,
  { contentType, body }: AnswerBody,
  frame: ResponseFrame,
): string {
  const bytes = Buffer.from(body);
  const policy = contentType.startsWith('text/html') ? PAGE_POLICY : '';
  const connection = frame.close
    ? 'Connection: close\r\n'
    : frame.minorVersion === 0
      ? 'Connection: keep-alive\r\n'
      : '';
  return (
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nDate: ${frame.date}\r\n` +
    `Content-Type: ${contentType}\r\nContent-Length: ${bytes.length}\r\n` +
    `Cache-Control: no-store\r\nVary: Accept\r\nX-Content-Type-Options: nosniff\r\n${policy}${fields}${connection}\r\n` +
    (frame.method === 'HEAD' ? '' : bytes.toString('latin1'))
  );
}

const PAGE_POLICY = "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n";
