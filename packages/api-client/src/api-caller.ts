import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { ApiError } from './api-error.ts';
import type { HttpAnswer, HttpTransport } from './http-transport.ts';

/** One try, from the connection to the last byte. Creates may wait 2 s for agents. */
const TRY_TIMEOUT_MS = 10_000;
/** Tries of a call that may be repeated without harm. */
const TRIES_MAX = 3;
/** Pause before the second try; doubles. */
const RETRY_DELAY_MS = 250;
/** A longer `Retry-After` is the caller's to decide about. */
const RETRY_AFTER_S_MAX = 5;
/** What OpenSSL and Node call a certificate that they do not accept. */
const CERTIFICATE_CODE =
  /^(?:CERT_|ERR_TLS_CERT_|SELF_SIGNED_CERT|DEPTH_ZERO_SELF_SIGNED|UNABLE_TO_(?:GET_ISSUER|VERIFY_LEAF)|INVALID_(?:CA|PURPOSE)|HOSTNAME_MISMATCH)/;

export interface ApiCallerDeps {
  transport?: HttpTransport;
  /** Waits; for tests. */
  wait?: (delayMs: number, signal: AbortSignal | undefined) => Promise<unknown>;
}

export interface ApiCallerOptions {
  /** Address of the control plane, such as `https://api.example.com`. */
  server: string;
  /** Sent as `User-Agent`. */
  userAgent: string;
}

export interface Call<T> {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Path with query. */
  path: string;
  body?: unknown;
  /** Such as `If-Match`. */
  headers?: Record<string, string>;
  /** API key or access token. */
  bearer?: string | undefined;
  /**
   * How a repeated call is kept from doing harm: by its method, by an `Idempotency-Key`, or not at all (`never`: one
   * try).
   */
  repeat: 'safe' | 'by_key' | 'never';
  /**
   * Checks the answer; what it throws becomes `bad_answer`. Gets undefined for an answer without a body, and the text
   * as it came, for what is not JSON.
   */
  parse: (body: unknown, text: string) => T;
  /** For one try; default: that of an answer of usual size. */
  timeoutMs?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** Makes calls to the control plane: time-outs, repeats, problem documents. */
export class ApiCaller {
  readonly server: string;
  readonly #userAgent: string;
  readonly #transport: HttpTransport;
  readonly #wait: NonNullable<ApiCallerDeps['wait']>;

  constructor(deps: ApiCallerDeps, options: ApiCallerOptions) {
    this.server = options.server.replace(/\/+$/, '');
    this.#userAgent = options.userAgent;
    this.#transport = deps.transport ?? ((url, request) => fetch(url, request));
    this.#wait = deps.wait ?? ((delayMs, signal) => delay(delayMs, undefined, signal === undefined ? {} : { signal }));
  }

  /** @throws {ApiError} also when `signal` aborts the call (`timeout`). */
  async call<T>(call: Call<T>): Promise<T> {
    const headers: Record<string, string> = {
      ...{ accept: 'application/json', 'user-agent': this.#userAgent },
      ...call.headers,
    };
    if (call.bearer !== undefined) headers['authorization'] = `Bearer ${call.bearer}`;
    if (call.body !== undefined) headers['content-type'] = 'application/json';
    if (call.repeat === 'by_key') headers['idempotency-key'] = randomUUID();
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#once(call, headers);
      } catch (error) {
        const waitMs = error instanceof ApiError ? pauseMs(error, tries) : null;
        if (waitMs === null || call.repeat === 'never' || tries >= TRIES_MAX || call.signal?.aborted) throw error;
        await this.#wait(waitMs, call.signal).catch(() => {
          throw error;
        });
      }
    }
  }

  async #once<T>(call: Call<T>, headers: Record<string, string>): Promise<T> {
    const timeout = AbortSignal.timeout(call.timeoutMs ?? TRY_TIMEOUT_MS);
    const signal = call.signal === undefined ? timeout : AbortSignal.any([timeout, call.signal]);
    let answer: HttpAnswer;
    let text: string;
    try {
      answer = await this.#transport(`${this.server}${call.path}`, {
        method: call.method,
        headers,
        signal,
        ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      });
      text = await answer.text();
    } catch (cause) {
      throw signal.aborted
        ? new ApiError({ code: 'timeout', status: null, detail: `${this.server} does not answer`, cause })
        : noAnswer(this.server, cause);
    }
    const body = text === '' ? undefined : tryParse(text);
    if (answer.status < 200 || answer.status > 299) throw problemOf(this.server, answer, body);
    try {
      return call.parse(body, text);
    } catch (cause) {
      throw badAnswer(this.server, answer, cause);
    }
  }
}

function noAnswer(server: string, cause: unknown): ApiError {
  const root = rootOf(cause);
  const message = root instanceof Error ? root.message || root.name : String(root);
  if (root instanceof Error && 'code' in root && CERTIFICATE_CODE.test(String(root.code))) {
    // What Node adds behind the semicolon concerns whoever starts Node.
    const detail = `The certificate of ${server} is not trusted: ${message.split(';')[0]}`;
    return new ApiError({ code: 'server_untrusted', status: null, detail, cause });
  }
  return new ApiError({ code: 'unreachable', status: null, detail: `Cannot reach ${server}: ${message}`, cause });
}

/** Milliseconds to wait before the next try; null: do not try again. */
function pauseMs(error: ApiError, tries: number): number | null {
  if (!error.retryable) return null;
  if (error.retryAfterS === null) return RETRY_DELAY_MS * 2 ** (tries - 1);
  return error.retryAfterS <= RETRY_AFTER_S_MAX ? error.retryAfterS * 1000 : null;
}

/** Of every answer that a relay gives in place of a tunnel's target. */
const RELAY_ERROR_HEADER = 'tunnox-error';
const STANDARD_MEMBERS = ['type', 'title', 'status', 'detail', 'code', 'request_id', 'instance'];

function problemOf(server: string, answer: HttpAnswer, body: unknown): ApiError {
  // A relay's problem document is that of a name which visitors asked for: it says nothing about the call.
  if (answer.headers.get(RELAY_ERROR_HEADER) !== null) return badAnswer(server, answer, undefined);
  if (typeof body !== 'object' || body === null || !('code' in body) || typeof body.code !== 'string') {
    return badAnswer(server, answer, undefined);
  }
  const members = Object.fromEntries(Object.entries(body).filter(([name]) => !STANDARD_MEMBERS.includes(name)));
  const texts = [stringIn(body, 'detail'), stringIn(body, 'title'), body.code];
  return new ApiError({
    code: body.code,
    status: answer.status,
    detail: texts.find((text) => text !== null && text !== '') ?? body.code,
    requestId: stringIn(body, 'request_id') ?? answer.headers.get('x-request-id'),
    retryAfterS: retryAfterOf(answer),
    members,
  });
}

function badAnswer(server: string, answer: HttpAnswer, cause: unknown): ApiError {
  const isRelay = answer.headers.get(RELAY_ERROR_HEADER) !== null;
  const detail =
    answer.status >= 500
      ? `${server} is not working at the moment (status ${answer.status})`
      : isRelay
        ? `${server} is where visitors come to a relay, not the control plane's address`
        : `${server} does not answer like a Tunnox server (status ${answer.status}): check the address`;
  return new ApiError({
    code: 'bad_answer',
    status: answer.status,
    detail,
    requestId: answer.headers.get('x-request-id'),
    retryAfterS: retryAfterOf(answer),
    cause,
  });
}

/** Seconds of `Retry-After`; its date form is not used by this API. */
function retryAfterOf(answer: HttpAnswer): number | null {
  const value = answer.headers.get('retry-after');
  return value !== null && /^\d{1,6}$/.test(value.trim()) ? Number(value) : null;
}

function stringIn(body: object, name: string): string | null {
  const value: unknown = (body as Record<string, unknown>)[name];
  return typeof value === 'string' ? value : null;
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `fetch failed` says nothing: its cause does. */
function rootOf(error: unknown): unknown {
  let deepest = error;
  while (deepest instanceof Error && deepest.cause instanceof Error) deepest = deepest.cause;
  return deepest instanceof AggregateError ? deepest.errors[0] : deepest;
}
