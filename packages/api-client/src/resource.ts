import type { z } from 'zod';
import type { ApiCaller, Call } from './api-caller.ts';

/** Query of a list; `cursor` goes on where the page before ended. */
export interface ListQuery {
  page?: number;
  limit?: number;
  cursor?: string;
}

export interface CallOptions {
  signal?: AbortSignal | undefined;
}

export interface ChangeOptions extends CallOptions {
  /** Only if the object still has this `version`: else `precondition_failed`. */
  ifVersion?: number | undefined;
}

/** API key or access token, or where the present one comes from. */
export type Bearer = string | ((signal: AbortSignal | undefined) => Promise<string>);

export type Query = Record<string, string | number | boolean | undefined>;

/** One answer has up to 100 000 lines, read from the database page by page. */
const TEXT_TIMEOUT_MS = 120_000;

/** First part of every path. */
export const V1 = '/api/v1';

/** Calls that belong together, with one credential. */
export class Resource {
  readonly #caller: ApiCaller;
  readonly #bearer: Bearer;

  constructor(caller: ApiCaller, bearer: Bearer) {
    this.#caller = caller;
    this.#bearer = bearer;
  }

  protected read<T>(path: string, schema: z.ZodType<T>, query: object = {}, options: CallOptions = {}): Promise<T> {
    const call = { method: 'GET', path: withQuery(path, query as Query), repeat: 'safe' } as const;
    return this.#call({ ...call, parse: parserOf(schema) }, options);
  }

  /** A long answer that is not JSON as a whole. */
  protected readText<T>(
    path: string,
    parse: (text: string) => T,
    query: object = {},
    options: CallOptions = {},
  ): Promise<T> {
    const call = { method: 'GET', path: withQuery(path, query as Query), repeat: 'safe' } as const;
    return this.#call({ ...call, timeoutMs: TEXT_TIMEOUT_MS, parse: (_body, text) => parse(text) }, options);
  }

  /** What makes or does something: repeated under one `Idempotency-Key`. */
  protected post<T>(path: string, body: unknown, schema: z.ZodType<T>, options: ChangeOptions = {}): Promise<T> {
    return this.#call({ method: 'POST', path, body, repeat: 'by_key', parse: parserOf(schema) }, options);
  }

  /** As `post()`, where there is no answer to read. */
  protected command(path: string, body: unknown, options: ChangeOptions = {}): Promise<void> {
    return this.#call({ method: 'POST', path, body, repeat: 'by_key', parse: () => undefined }, options);
  }

  protected put<T>(path: string, body: unknown, schema: z.ZodType<T>, options: ChangeOptions = {}): Promise<T> {
    return this.#call({ method: 'PUT', path, body, repeat: 'safe', parse: parserOf(schema) }, options);
  }

  /** A removal that answers with what is there now. */
  protected removeFor<T>(path: string, schema: z.ZodType<T>, options: ChangeOptions = {}): Promise<T> {
    return this.#call({ method: 'DELETE', path, repeat: 'safe', parse: parserOf(schema) }, options);
  }

  protected remove(path: string, options: ChangeOptions = {}): Promise<void> {
    return this.#call({ method: 'DELETE', path, repeat: 'safe', parse: () => undefined }, options);
  }

  async #call<T>(call: Call<T>, { signal, ifVersion }: ChangeOptions): Promise<T> {
    const bearer = typeof this.#bearer === 'string' ? this.#bearer : await this.#bearer(signal);
    const headers = ifVersion === undefined ? {} : { 'if-match': `"${ifVersion}"` };
    return await this.#caller.call({ ...call, bearer, headers, signal });
  }
}

function parserOf<T>(schema: z.ZodType<T>): (body: unknown) => T {
  return (body) => schema.parse(body);
}

function withQuery(path: string, query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(name, String(value));
  }
  return parameters.size === 0 ? path : `${path}?${parameters.toString()}`;
}
