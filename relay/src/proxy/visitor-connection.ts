import { resetStream } from '@tunnox/streams/reset-stream';
import type { Duplex } from 'node:stream';
import { type Answer, refusedRequest, requestTimeout } from './answer.ts';
import { answerText } from './answer-text.ts';
import type { Timed } from './deadline-sweep.ts';
import { Exchange } from './exchange.ts';
import { Forwarding, type Peer } from './forwarding.ts';
import { CR, LF } from './http1/char-class.ts';
import { parseRequestHead } from './http1/parse-request-head.ts';
import type { RequestHead } from './http1/request-head.ts';
import type { ProxyCore } from './proxy-core.ts';
import { TargetFinder } from './target-finder.ts';
import { FIRST_BYTE_MS, HEAD_MS, KEEP_ALIVE_MS, LINGER_MS } from './time-limits.ts';

const NOTHING = Buffer.alloc(0);

/**
 * One HTTP/1.x connection of a visitor: requests are read one after the other, each the work of an `Exchange`; the next
 * one is read when the last one is answered. Bytes that cannot be used yet stay here, at most one chunk, while the
 * socket is paused.
 */
export class VisitorConnection implements Timed {
  deadlineMs: number;
  readonly socket: Duplex;
  readonly forwarding: Forwarding;
  readonly finder: TargetFinder;
  readonly #core: ProxyCore;
  #exchange: Exchange | null = null;
  #input: Buffer = NOTHING;
  #pos = 0;
  #scannedTo = 0;
  #advancing = false;
  #paused = false;
  /** The visitor has ended its side. */
  #ended = false;
  /** Our side is ended, or nothing more is read as HTTP. */
  #closing = false;

  constructor(core: ProxyCore, socket: Duplex, peer: Peer) {
    this.#core = core;
    this.socket = socket;
    this.forwarding = new Forwarding(peer, core.trustedPeers);
    this.finder = new TargetFinder(core, this.forwarding);
    this.deadlineMs = core.sweep.nowMs + FIRST_BYTE_MS;
    core.sweep.add(this);
    socket.on('data', this.#onData);
    socket.on('drain', this.#onDrain);
    socket.on('end', this.#onEnd);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
  }

  /** True when the visitor cannot send another request. */
  get saidAll(): boolean {
    return this.#ended && this.#pos >= this.#input.length;
  }

  get halfClosed(): boolean {
    return this.#ended;
  }

  /** @returns false: wait for `Exchange.onVisitorDrain` */
  write(data: Buffer | string): boolean {
    return typeof data === 'string' ? this.socket.write(data, 'latin1') : this.socket.write(data);
  }

  /** Sends an answer of our own. @param text Makes it, once it is known whether the connection stays. */
  reply(status: number, keepAlive: boolean, text: (frame: { close: boolean; date: string }) => string): void {
    this.#core.metrics.countAnswer(status);
    const close = !keepAlive || this.#core.draining || this.saidAll;
    this.write(text({ close, date: this.#core.date() }));
    this.finished(!close);
  }

  /** The exchange is over: goes on to the next request, or closes. */
  finished(keepAlive: boolean): void {
    this.#exchange = null;
    if (!keepAlive) return this.close();
    this.deadlineMs = this.#core.sweep.nowMs + KEEP_ALIVE_MS;
    this.advance();
  }

  /** Ends our side and reads on for a moment: closing at once would make the visitor lose the answer (RFC 9112, 9.6). */
  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#exchange = null;
    this.#input = NOTHING;
    this.#pos = 0;
    this.deadlineMs = this.#core.sweep.nowMs + LINGER_MS;
    this.socket.end();
    this.socket.resume();
  }

  /** Sends the end of our side; the rest of a request may still come. */
  endOutput(): void {
    this.socket.end();
  }

  /** Ends the connection so that the visitor sees that something is missing. */
  cut(): void {
    this.#exchange = null;
    this.#closing = true;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    resetStream(this.socket);
  }

  /** Ends the connection at once, whatever it is doing. */
  destroy(): void {
    this.#closing = true;
    this.socket.destroy();
  }

  /** Closes now if no request is running. */
  closeIfIdle(): void {
    if (this.#exchange === null && this.#pos >= this.#input.length) this.close();
  }

  /** Gives the socket away, after an upgrade. @returns what had been read of it and belongs to the new protocol */
  detach(): Buffer {
    const rest = this.#input.subarray(this.#pos);
    this.#exchange = null;
    this.#closing = true;
    this.#input = NOTHING;
    this.#pos = 0;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.socket.off('data', this.#onData);
    this.socket.off('drain', this.#onDrain);
    this.socket.off('end', this.#onEnd);
    return rest;
  }

  onDeadline(nowMs: number): void {
    if (this.#exchange !== null) return this.#exchange.onDeadline(nowMs);
    this.#core.metrics.timeouts++;
    if (this.#closing) return this.cut();
    if (this.#pos < this.#input.length) this.#refuse(requestTimeout());
    else this.close();
  }

  /** Uses what has been read as far as possible. */
  advance(): void {
    if (this.#advancing) return;
    this.#advancing = true;
    try {
      while (!this.#closing && this.#step());
    } finally {
      this.#advancing = false;
    }
  }

  /** @returns false when it has to wait for something */
  #step(): boolean {
    const exchange = this.#exchange;
    if (this.#pos >= this.#input.length) {
      this.#input = NOTHING;
      this.#pos = 0;
      if (this.#paused) {
        this.#paused = false;
        this.socket.resume();
      }
      if (!this.#ended) return false;
      if (exchange === null) this.close();
      else if (!exchange.requestDone) exchange.onVisitorGone();
      return false;
    }
    if (exchange === null) return this.#nextRequest();
    if (exchange.requestDone || !exchange.takesBody) return this.#wait();
    this.#pos = exchange.passBody(this.#input, this.#pos);
    return true;
  }

  #wait(): false {
    if (!this.#paused) {
      this.#paused = true;
      this.socket.pause();
    }
    return false;
  }

  #nextRequest(): boolean {
    // Answers that are not read must not pile up behind pipelined requests.
    if (this.socket.writableNeedDrain) return this.#wait();
    let head: RequestHead | null;
    try {
      head = parseRequestHead(this.#input, this.#pos, Math.max(this.#scannedTo, this.#pos));
    } catch (error) {
      this.#core.metrics.malformed++;
      this.#refuse(refusedRequest(error));
      return false;
    }
    if (head === null) return this.#incompleteHead();
    this.#pos = head.end;
    this.#scannedTo = 0;
    const exchange = new Exchange(this.#core, this, head);
    this.#exchange = exchange;
    exchange.start();
    return true;
  }

  #incompleteHead(): false {
    if (this.#ended) {
      this.close();
      return false;
    }
    // Empty lines between requests are not the beginning of one (RFC 9112, section 2.2).
    while (this.#input[this.#pos] === CR && this.#input[this.#pos + 1] === LF) this.#pos += 2;
    this.#input = this.#input.subarray(this.#pos);
    this.#pos = 0;
    if (this.#scannedTo === 0 && this.#input.length > 0) this.deadlineMs = this.#core.sweep.nowMs + HEAD_MS;
    this.#scannedTo = this.#input.length;
    if (this.#paused) {
      this.#paused = false;
      this.socket.resume();
    }
    return false;
  }

  /** Answers what could not be read; the bytes that follow mean nothing. */
  #refuse(answer: Answer): void {
    this.reply(answer.status, false, (frame) =>
      answerText(answer, { ...frame, method: null, minorVersion: 1, accept: null }),
    );
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#closing) return;
    this.#input = this.#pos >= this.#input.length ? chunk : Buffer.concat([this.#input.subarray(this.#pos), chunk]);
    this.#pos = 0;
    this.advance();
  };

  readonly #onDrain = (): void => {
    if (this.#exchange === null) this.advance();
    else this.#exchange.onVisitorDrain();
  };

  readonly #onEnd = (): void => {
    this.#ended = true;
    if (this.#exchange?.requestDone === true) this.#exchange.onVisitorEnd();
    else this.advance();
  };

  // What the error means is told by `close`, which always follows.
  readonly #onError = (): void => {};

  readonly #onClose = (): void => {
    const exchange = this.#exchange;
    this.#exchange = null;
    this.#closing = true;
    this.#core.sweep.delete(this);
    exchange?.onVisitorGone();
    this.#core.closed(this);
  };
}
