import type { Binding } from '@tunnox/domain/binding';
import { normalizeHost } from '@tunnox/domain/host-name';
import * as answers from './answer.ts';
import { AnswerRelay } from './answer-relay.ts';
import { answerText, responseText } from './answer-text.ts';
import { isLooping } from './forwarding.ts';
import { challengeToken, isChallengePath } from './challenge-answers.ts';
import { BodyScanner } from './http1/body-scanner.ts';
import { findField } from './http1/find-field.ts';
import type { RequestHead } from './http1/request-head.ts';
import type { ProxyCore } from './proxy-core.ts';
import { mayTryAgain } from './replay.ts';
import { requestHeadText } from './rewrite-head.ts';
import type { TargetConnection, TargetListener } from './target-connection.ts';
import type { FinderListener } from './target-finder.ts';
import * as limits from './time-limits.ts';
import { upgrade } from './upgrade.ts';
import type { VisitorConnection } from './visitor-connection.ts';
import { wantsWarning, warningText } from './warning-page.ts';

/** One request of a visitor and its answer: has the target found, sends the request, passes the answer back. */
export class Exchange implements TargetListener, FinderListener {
  /** The whole request has been passed on, or there is no more of it. */
  requestDone: boolean;
  readonly #core: ProxyCore;
  readonly #connection: VisitorConnection;
  readonly #head: RequestHead;
  readonly #body: BodyScanner | null;
  readonly #answer: AnswerRelay;
  #target: TargetConnection | null = null;
  #targetKey = '';
  #targetBlocked = false;
  #visitorBlocked = false;
  #bodyBegan = false;
  #windowBytes = 0;
  /** Nothing is looked for any more. */
  #ended = false;

  constructor(core: ProxyCore, connection: VisitorConnection, head: RequestHead) {
    this.#core = core;
    this.#connection = connection;
    this.#head = head;
    this.requestDone = head.framing.kind === 'none';
    this.#body = this.requestDone ? null : new BodyScanner(head.framing);
    this.#answer = new AnswerRelay(core, connection, head);
  }

  /** False while the body must wait: there is no tunnel yet, or it is full. */
  get takesBody(): boolean {
    return !this.#targetBlocked && (this.#target !== null || this.#answer.done);
  }

  start(): void {
    const { method, host, via } = this.#head;
    if (method === 'CONNECT' || method === 'TRACE') return this.#reply(answers.methodNotAllowed(method));
    if (via !== '' && isLooping(via)) return this.#reply(answers.loopDetected(host));
    this.#connection.deadlineMs = this.#core.sweep.nowMs + limits.OPEN_MS;
    const token = this.#challengeToken();
    if (token === null) this.#connection.finder.find(this.#head, this);
    else void this.#answerChallenge(token);
  }

  /** What a certificate authority wants to see; null: this is another request. */
  #challengeToken(): string | null {
    const { method, lines } = this.#head;
    if (!isChallengePath(lines, method.length + 1) || this.#core.challenges === null || !this.requestDone) return null;
    if (method !== 'GET' && method !== 'HEAD') return null;
    return challengeToken(lines.slice(method.length + 1, lines.indexOf(' HTTP/1.1\r\n')));
  }

  /** A token that is not ours belongs to an ACME client behind the tunnel. */
  async #answerChallenge(token: string): Promise<void> {
    const { method, host, minorVersion, keepAlive } = this.#head;
    const name = normalizeHost(host);
    const text = name === null ? null : ((await this.#core.challenges?.find(token, name)) ?? null);
    if (this.#ended) return;
    if (text === null) return this.#connection.finder.find(this.#head, this);
    this.#end();
    this.#connection.reply(200, keepAlive, (frame) =>
      responseText(200, '', { contentType: 'text/plain', body: text }, { ...frame, method, minorVersion }),
    );
  }

  warns(): boolean {
    if (!this.#core.warningPages || !wantsWarning(this.#head)) return false;
    const head = this.#head;
    this.#end();
    this.#connection.reply(200, head.keepAlive && this.requestDone, (frame) =>
      warningText(head, this.#connection.forwarding.isSecure(head), frame),
    );
    return true;
  }

  onNoTarget(answer: answers.Answer): void {
    this.#reply(answer);
  }

  onTarget(target: TargetConnection, key: string, binding: Binding): void {
    this.#target = target;
    this.#targetKey = key;
    this.#answer.hidesWarningCookie = binding.warning_page;
    target.listener = this;
    const text = requestHeadText(this.#head, binding.host_header, this.#connection.forwarding.lines(this.#head));
    if (this.requestDone) {
      target.write(text);
    } else {
      // Head and first bytes of the body leave together.
      target.stream.cork();
      target.write(text);
      process.nextTick(() => target.stream.uncork());
    }
    this.#watch();
    this.#connection.advance();
  }

  /** Passes on what belongs to the body. @returns index after it */
  passBody(bytes: Buffer, pos: number): number {
    const body = this.#body as BodyScanner;
    try {
      body.scan(bytes, pos);
    } catch (error) {
      this.#core.metrics.malformed++;
      this.#reply(answers.refusedRequest(error));
      return bytes.length;
    }
    this.#windowBytes += body.consumed - pos;
    this.#bodyBegan = true;
    if (this.#target !== null) {
      let more = true;
      if (body.passTo > pos) more = this.#target.write(bytes.subarray(pos, body.passTo));
      if (body.trailer !== '') more = this.#target.write(body.trailer);
      this.#targetBlocked = !more;
    }
    if (body.done) this.#requestSent();
    return body.consumed;
  }

  #requestSent(): void {
    this.requestDone = true;
    this.#targetBlocked = false;
    if (this.#answer.done) this.#complete();
    else this.#watch();
  }

  onTargetData(chunk: Buffer): void {
    const answer = this.#answer;
    const target = this.#target as TargetConnection;
    if (answer.done) return this.#lateEnd();
    const headWasSent = answer.headSent;
    let more: boolean;
    try {
      more = answer.take(chunk, this.requestDone);
    } catch (error) {
      return this.#reply(answers.badAnswer(error));
    }
    if (answer.done) return this.#answered();
    if (answer.switching !== null) {
      return upgrade(this.#core.metrics, this.#connection, target, answer.switching);
    }
    if (!more) {
      this.#visitorBlocked = true;
      target.pause();
      this.#watch();
    } else if (!headWasSent || this.#connection.halfClosed) this.#watch();
  }

  onTargetDrain(): void {
    if (!this.#targetBlocked) return;
    this.#targetBlocked = false;
    this.#connection.advance();
  }

  onTargetEnd(): void {
    if (this.#answer.done) this.#lateEnd();
    else if (this.#answer.end()) this.#answered();
    else this.#targetLost();
  }

  onTargetGone(): void {
    if (this.#answer.done) this.#lateEnd();
    else this.#targetLost();
  }

  onVisitorDrain(): void {
    if (!this.#visitorBlocked) return;
    this.#visitorBlocked = false;
    this.#watch();
    this.#target?.resume();
  }

  /** The visitor has ended its side after its request. */
  onVisitorEnd(): void {
    this.#watch();
  }

  /** The visitor has closed, or has ended its side in the middle of the request. */
  onVisitorGone(): void {
    this.#end();
    this.#connection.cut();
  }

  onDeadline(nowMs: number): void {
    const answer = this.#answer;
    if (this.#target !== null && !this.requestDone && !answer.headSent && this.#bodyMoves()) {
      this.#windowBytes = 0;
      this.#connection.deadlineMs = nowMs + limits.BODY_WINDOW_MS;
      return;
    }
    this.#core.metrics.timeouts++;
    if (answer.done) this.#lateEnd();
    else if (answer.headSent) this.onVisitorGone();
    else if (this.#target === null) this.#reply(answers.openTimeout());
    else this.#reply(this.requestDone ? answers.answerTimeout() : answers.requestTimeout());
  }

  /** The body has come fast enough in this window, or it is not the visitor that is slow. */
  #bodyMoves(): boolean {
    if (!this.takesBody || this.#windowBytes >= limits.BODY_WINDOW_BYTES_MIN) return true;
    return this.#head.expectContinue && !this.#answer.continued && !this.#bodyBegan;
  }

  /** Sets the time-out for what is waited for now. */
  #watch(): void {
    const { halfClosed } = this.#connection;
    let waitMs = halfClosed ? limits.HALF_CLOSED_MS : Number.POSITIVE_INFINITY;
    if (this.#visitorBlocked) waitMs = limits.STALL_MS;
    else if (this.#answer.done) waitMs = limits.LATE_BODY_MS;
    else if (!this.requestDone && !this.#answer.headSent) waitMs = limits.BODY_WINDOW_MS;
    else if (!this.#answer.headSent) waitMs = Math.min(waitMs, limits.ANSWER_MS);
    this.#connection.deadlineMs = this.#core.sweep.nowMs + waitMs;
  }

  #answered(): void {
    if (this.requestDone) return this.#complete();
    // The visitor has its answer and was told that the connection ends; the target may still want the body.
    this.#connection.endOutput();
    this.#watch();
    this.#connection.advance();
  }

  #complete(): void {
    const target = this.#target;
    const answer = this.#answer;
    this.#target = null;
    if (target !== null) {
      if (answer.targetStays && target.usable) this.#core.pool.put(this.#targetKey, target);
      else target.close();
    }
    this.#connection.finished(answer.visitorStays);
  }

  /** The target is done with a request that is still coming. */
  #lateEnd(): void {
    this.#end();
    this.#connection.close();
  }

  /** The tunnel ended before the answer did. */
  #targetLost(): void {
    const target = this.#target as TargetConnection;
    const answer = this.#answer;
    const { method } = this.#head;
    const died = { reused: target.reused, answerBegan: answer.began, method, hasBody: this.#body !== null };
    if (mayTryAgain({ kind: 'died', ...died })) {
      target.close();
      this.#target = null;
      this.#core.metrics.replays++;
      this.#connection.deadlineMs = this.#core.sweep.nowMs + limits.OPEN_MS;
      return this.#connection.finder.findFresh(this.#head, this);
    }
    this.#reply(answers.noAnswer());
  }

  /** Answers in the target's place; when the target's answer is already on its way, it is cut off instead. */
  #reply(answer: answers.Answer): void {
    const { headSent } = this.#answer;
    this.#end();
    if (headSent) {
      this.#core.metrics.truncated++;
      return this.#connection.cut();
    }
    const { method, minorVersion, keepAlive, lines } = this.#head;
    const accept = findField(lines, 'accept');
    this.#connection.reply(answer.status, keepAlive && this.requestDone, (frame) =>
      answerText(answer, { ...frame, method, minorVersion, accept }),
    );
  }

  #end(): void {
    this.#ended = true;
    this.#connection.finder.stop();
    this.#target?.reset();
    this.#target = null;
  }
}
