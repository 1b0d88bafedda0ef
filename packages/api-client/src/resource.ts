import type { z } from 'zod';
import type { ApiCaller, Call } from './api-caller.ts';

/** Query of a list; `cursor` goes on where the page before ended. */
export interface ListQuery {
  page?: number;
  limit?: number;
  cursor?: string;
}

type Query = Record<string, string | number | boolean | undefined>;

/** Calls that belong together, with one credential. */
export class Resource {
  readonly #caller: ApiCaller;
  readonly #bearer: string;

  /** @param bearer API key or access token. */
  constructor(caller: ApiCaller, bearer: string) {
    this.#caller = caller;
    this.#bearer = bearer;
  }

  protected get<T>(path: string, schema: z.ZodType<T>, query: Query = {}, signal?: AbortSignal): Promise<T> {
    return this.#call({ method: 'GET', path: withQuery(path, query), repeat: 'safe', parse: parserOf(schema), signal });
  }

  /** A create: repeated under one `Idempotency-Key`. */
  protected post<T>(path: string, body: unknown, schema: z.ZodType<T>, signal?: AbortSignal): Promise<T> {
    return this.#call({ method: 'POST', path, body, repeat: 'by_key', parse: parserOf(schema), signal });
  }

  protected put<T>(path: string, body: unknown, schema: z.ZodType<T>, signal?: AbortSignal): Promise<T> {
    return this.#call({ method: 'PUT', path, body, repeat: 'safe', parse: parserOf(schema), signal });
  }

  protected delete(path: string, signal?: AbortSignal): Promise<void> {
    return this.#call({ method: 'DELETE', path, repeat: 'safe', parse: () => undefined, signal });
  }

  #call<T>(call: Omit<Call<T>, 'bearer'>): Promise<T> {
    return this.#caller.call({ ...call, bearer: this.#bearer });
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
