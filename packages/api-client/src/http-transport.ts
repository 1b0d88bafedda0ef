/**
 * The part of `fetch` that the client uses; `globalThis.fetch` is one. Another one brings its own certificates or is a
 * test's.
 */
export type HttpTransport = (url: string, request: HttpRequest) => Promise<HttpAnswer>;

export interface HttpRequest {
  method: string;
  headers: Record<string, string>;
  body?: string;
  signal: AbortSignal;
}

export interface HttpAnswer {
  status: number;
  headers: { get(name: string): string | null };
  text(): Promise<string>;
}
