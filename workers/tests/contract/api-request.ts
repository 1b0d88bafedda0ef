import type { ApiDocument, DocumentOperation, Json } from './api-document.ts';
import type { RawAnswer } from './check-answer.ts';
import type { Callers, Household } from './household.ts';
import { type Existing, existingOf } from './schema-arbitrary.ts';

/** A request as it will be sent. */
export interface ApiRequest {
  caller: keyof Callers;
  /** With its query. */
  target: string;
  headers: Record<string, string>;
  body: string | undefined;
}

export async function sendRequest(
  url: string,
  method: string,
  request: ApiRequest,
  { callers }: Pick<Household, 'callers'>,
): Promise<RawAnswer> {
  const token = callers[request.caller];
  const answer = await fetch(url + request.target, {
    method,
    headers: { ...request.headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
    // GET has none here.
    ...(request.body === undefined || method === 'GET' ? {} : { body: request.body }),
    redirect: 'manual',
    signal: AbortSignal.timeout(30_000),
  });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}

/** The document's ids are nobody's. */
export function withExisting(value: Json, existing: Existing, name = ''): Json {
  if (Array.isArray(value)) return value.map((one) => withExisting(one, existing, name));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withExisting(one, existing, key)]));
  }
  return existingOf(existing, name)?.[0] ?? value;
}

/** Each operation once as the document shows it, about things that exist; what deletes comes last. */
export function shownRequests(
  api: ApiDocument,
  existing: Existing,
  caller: keyof Callers,
): { operation: DocumentOperation; request: ApiRequest }[] {
  const deletes = ({ method }: DocumentOperation) => Number(method === 'DELETE');
  return api.operations
    .toSorted((a, b) => deletes(a) - deletes(b))
    .map((operation) => {
      const example = operation.requestBody?.content['application/json']?.example as Json | undefined;
      const body = example === undefined ? undefined : JSON.stringify(withExisting(example, existing));
      const textOf = (name: string) => encodeURIComponent(String(existingOf(existing, name)?.[0] ?? 'x'));
      const query = operation.parameters
        .filter((one) => one.in === 'query' && (one.required === true || one.name === 'host'))
        .map(({ name }) => `${name}=${textOf(name)}`);
      const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => textOf(name));
      return {
        operation,
        request: {
          caller,
          target: query.length === 0 ? path : `${path}?${query.join('&')}`,
          headers: body === undefined ? {} : { 'content-type': 'application/json' },
          body,
        },
      };
    });
}
