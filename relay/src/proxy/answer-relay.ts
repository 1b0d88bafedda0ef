import { BodyScanner } from './http1/body-scanner.ts';
import { malformed } from './http1/malformed.ts';
import type { RequestHead } from './http1/request-head.ts';
import { parseResponseHead, type ResponseHead } from './http1/parse-response-head.ts';
import type { ProxyCore } from './proxy-core.ts';
import { isPlain, responseLines } from './http1/response-lines.ts';
import { responseHeadText } from './rewrite-head.ts';
import type { VisitorConnection } from './visitor-connection.ts';
import { withoutWarningCookie } from './warning-page.ts';
import { writeWithHead, writeWithout } from './write-joined.ts';

/** 101 and what came behind it, which belongs to the new protocol. */
export interface Switching {
  head: ResponseHead;
  /** Of `responseLines`. */
  lines: string;
  rest: Buffer;
}

/** Passes the answer to one request from the target's bytes to the visitor, as it comes. */
export class AnswerRelay {
  /** A byte of the answer has come. */
  began = false;
  /** 100 was passed on: the visitor sends its body. */
  continued = false;
  /** The final head was passed on: there is no other answer any more. */
  headSent = false;
  /** All of the answer was passed on. */
  done = false;
  /** The target's connection may carry another request. */
  targetStays = false;
  /** The visitor's connection may carry another request. */
  visitorStays = false;
  switching: Switching | null = null;
  /** The target may not say that the warning page was seen. */
  hidesWarningCookie = false;
  readonly #core: ProxyCore;
  readonly #connection: VisitorConnection;
  readonly #request: RequestHead;
  #body: BodyScanner | null = null;
  #unchunked = false;
  /** Head that is not complete yet. */
  #partial: Buffer | null = null;
  #scannedTo = 0;

  constructor(core: ProxyCore, connection: VisitorConnection, request: RequestHead) {
    this.#core = core;
    this.#connection = connection;
    this.#request = request;
  }

  /**
   * @param requestDone The whole request was sent to the target.
   * @returns false: the visitor does not take more now
   * @throws {TunnoxError} the answer cannot be read; nothing of these bytes was passed on
   */
  take(chunk: Buffer, requestDone: boolean): boolean {
    this.began = true;
    return this.#body === null ? this.#takeHead(chunk, requestDone) : this.#takeBody(this.#body, '', chunk, 0);
  }

  /** The target has ended its side. @returns whether that is the end of the answer */
  end(): boolean {
    if (this.#body?.framing.kind === 'close') this.done = true;
    return this.done;
  }

  #takeHead(chunk: Buffer, requestDone: boolean): boolean {
    const bytes = this.#partial === null ? chunk : Buffer.concat([this.#partial, chunk]);
    let pos = 0;
    let more = true;
    for (;;) {
      const head = parseResponseHead(bytes, pos, this.#request.method, Math.max(pos, this.#scannedTo));
      this.#scannedTo = 0;
      if (head === null) {
        this.#partial = bytes.subarray(pos);
        this.#scannedTo = this.#partial.length;
        return more;
      }
      if (head.status === 101) {
        if (this.#request.upgrade === null) throw malformed('The protocol is changed without a request for it');
        this.switching = { head, lines: responseLines(bytes, head), rest: bytes.subarray(head.end) };
        return more;
      }
      pos = head.end;
      if (head.status >= 200) {
        this.#partial = null;
        return this.#final(head, bytes, requestDone);
      }
      if (head.status === 100) this.continued = true;
      // HTTP/1.0 knows no interim answers (RFC 9110, section 15.2).
      if (this.#request.minorVersion === 1) more = this.#connection.write(`${responseLines(bytes, head)}\r\n`);
    }
  }

  #final(head: ResponseHead, bytes: Buffer, requestDone: boolean): boolean {
    const request = this.#request;
    this.#unchunked = head.framing.kind === 'chunked' && request.minorVersion === 0;
    this.targetStays = head.keepAlive;
    // A request that is still coming when it is answered may be given up by the visitor half-way.
    const close =
      !request.keepAlive ||
      !requestDone ||
      this.#unchunked ||
      head.framing.kind === 'close' ||
      this.#core.draining ||
      this.#connection.saidAll;
    this.visitorStays = !close;
    this.headSent = true;
    this.#core.metrics.countAnswer(head.status);
    const body = new BodyScanner(head.framing);
    this.#body = body;
    const asItIs = !close && request.minorVersion === 1 && head.hasDate && head.upgrade === null;
    if (asItIs && !this.hidesWarningCookie && isPlain(bytes, head)) return this.#takePlain(body, head, bytes);
    const { minorVersion } = request;
    const date = this.#core.date();
    const all = responseLines(bytes, head);
    const lines = this.hidesWarningCookie ? withoutWarningCookie(all) : all;
    const text = responseHeadText(head, lines, { close, minorVersion, date, unchunked: this.#unchunked });
    return this.#takeBody(body, text, bytes, head.end);
  }

  /** The usual case: head and body leave as they came, but for a few lines. */
  #takePlain(body: BodyScanner, head: ResponseHead, bytes: Buffer): boolean {
    body.scan(bytes, head.end);
    this.#finish(body, bytes);
    const more = writeWithout(this.#connection.socket, bytes, head.start, head.drops, body.passTo);
    return body.trailer === '' ? more : this.#connection.write(body.trailer);
  }

  #takeBody(body: BodyScanner, headText: string, bytes: Buffer, pos: number): boolean {
    if (this.#unchunked) return this.#takeUnchunked(body, headText, bytes, pos);
    body.scan(bytes, pos);
    this.#finish(body, bytes);
    const more = writeWithHead(this.#connection.socket, headText, bytes, pos, body.passTo);
    return body.trailer === '' ? more : this.#connection.write(body.trailer);
  }

  /** For HTTP/1.0: payload only, ended by the end of the connection. */
  #takeUnchunked(body: BodyScanner, headText: string, bytes: Buffer, pos: number): boolean {
    const payload: Buffer[] = [];
    body.scan(bytes, pos, (from, to) => payload.push(bytes.subarray(from, to)));
    this.#finish(body, bytes);
    const joined = payload.length === 1 && payload[0] !== undefined ? payload[0] : Buffer.concat(payload);
    return writeWithHead(this.#connection.socket, headText, joined, 0, joined.length);
  }

  #finish(body: BodyScanner, bytes: Buffer): void {
    if (!body.done) return;
    this.done = true;
    // What comes behind an answer is nobody's: the target is out of step.
    if (body.consumed < bytes.length) this.targetStays = false;
  }
}
