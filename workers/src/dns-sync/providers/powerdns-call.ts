import { z } from 'zod';
import { type ProviderAccess, ProviderError } from '../zone-provider.ts';
import { readJsonAnswer } from './json-answer.ts';

const errorSchema = z.object({ error: z.string() });

/** How long to wait where it asks to and does not say how long. */
const WAIT_S = 60;

/** A call of PowerDNS's API. @throws {ProviderError} unless it is a success of the expected shape */
export async function callPowerDns<T>(
  { endpoint, token, fetch }: ProviderAccess,
  method: 'GET' | 'PATCH',
  path: string,
  schema: z.ZodType<T>,
  signal: AbortSignal,
  body?: object,
): Promise<T> {
  const headers = { 'x-api-key': token, accept: 'application/json', 'content-type': 'application/json' };
  const response = await fetch(endpoint + path, {
    ...{ method, headers, signal },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = await readJsonAnswer(response, 'PowerDNS');
  if (!response.ok) throw errorOf(response, answer);
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new ProviderError('unreachable', 'Something answers that is not the API of PowerDNS: check the endpoint', {
    cause: parsed.error,
  });
}

function errorOf({ status, headers }: Response, answer: unknown): ProviderError {
  const said = errorSchema.safeParse(answer).data?.error;
  const why = said === undefined ? `status ${status}` : said.trim().slice(0, 300);
  const retryAfter = headers.get('retry-after') ?? '';
  if (status === 401 || status === 403)
    return new ProviderError('unauthorized', `PowerDNS does not accept the key (${why})`);
  if (status === 404) return new ProviderError('zone_missing', `PowerDNS does not have this zone (${why})`);
  if (status === 429) {
    const retryAfterS = /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) : WAIT_S;
    return new ProviderError('rate_limited', `PowerDNS asks to wait for ${retryAfterS} s`, { retryAfterS });
  }
  if (status >= 500) return new ProviderError('unreachable', `PowerDNS is not working at the moment (${why})`);
  return new ProviderError('rejected', `PowerDNS does not take this: ${why}`);
}
