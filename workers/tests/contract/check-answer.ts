import type { ApiDocument, DocumentOperation } from './api-document.ts';

/** An answer as it came. */
export interface RawAnswer {
  status: number;
  headers: Headers;
  text: string;
}

/** What in an answer is not as the document says; empty: nothing. */
export function contractFaults(api: ApiDocument, operation: DocumentOperation, answer: RawAnswer): string[] {
  const { status, headers, text } = answer;
  if (status >= 500) return [`${status}: ${text}`];
  const declared = operation.responses[String(status)];
  if (declared === undefined) return [`${status} is not declared: ${text.slice(0, 500)}`];
  const faults = Object.keys(declared.headers ?? {})
    .filter((name) => (SOMETIMES.has(name) ? name === 'Retry-After' && status === 429 : true))
    .filter((name) => !headers.has(name))
    .map((name) => `${status} without ${name}`);
  const type = headers.get('content-type')?.split(';')[0] ?? null;
  if (declared.content === undefined) return text === '' ? faults : [...faults, `${status} has a body: ${text}`];
  const content = type === null ? undefined : declared.content[type];
  if (content === undefined) return [...faults, `${status} is ${type}`];
  if (type?.endsWith('json') !== true || type.endsWith('ndjson')) return faults;
  const body = JSON.parse(text) as { code?: string };
  const wrong = api.faults(body, content.schema).map((fault) => `${status} ${fault}: ${text.slice(0, 500)}`);
  if (status >= 400 && !(String(body.code) in (content.examples ?? {}))) {
    faults.push(`${status} with the code ${body.code}, which is not declared: ${text.slice(0, 500)}`);
  }
  return [...faults, ...wrong];
}

/** Headers that an answer need not have: nobody could be asked about the rate, or there was no first answer. */
const SOMETIMES = new Set(['Idempotency-Replayed', 'RateLimit', 'RateLimit-Policy', 'Retry-After']);
