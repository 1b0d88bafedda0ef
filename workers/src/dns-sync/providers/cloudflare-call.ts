import type { z } from 'zod';
import { type ProviderAccess, ProviderError } from '../zone-provider.ts';
import { cloudflareError } from './cloudflare-error.ts';
import { readJsonAnswer } from './json-answer.ts';

/** A call of Cloudflare's API. @throws {ProviderError} unless it is a success of the expected shape */
export async function callCloudflare<T>(
  { endpoint, token, fetch }: ProviderAccess,
  method: 'GET' | 'POST',
  path: string,
  schema: z.ZodType<T>,
  signal: AbortSignal,
  body?: object,
): Promise<T> {
  const headers = { authorization: `Bearer ${token}`, accept: 'application/json', 'content-type': 'application/json' };
  const response = await fetch(endpoint + path, {
    ...{ method, headers, signal },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = await readJsonAnswer(response, 'Cloudflare');
  if (!response.ok) throw cloudflareError(response.status, response.headers.get('retry-after'), answer);
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new ProviderError('unreachable', 'Cloudflare has answered something that is not its API', {
    cause: parsed.error,
  });
}
