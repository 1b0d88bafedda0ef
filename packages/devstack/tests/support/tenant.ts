import { randomBytes } from 'node:crypto';
import type { Stack } from '../../src/stack-file.ts';

/** A user with an API key of their own. */
export interface Tenant {
  userId: number;
  apiKey: string;
}

/** Makes a tenant with the operator key. */
export async function createTenant(stack: Stack, plan = 'enterprise'): Promise<Tenant> {
  const name = `t${randomBytes(6).toString('hex')}`;
  const user = await api<{ user_id: number }>(stack, stack.operator_key, 'POST', '/api/v1/users', {
    username: name,
    email: `${name}@example.com`,
    password: randomBytes(12).toString('hex'),
    plan,
  });
  const key = await api<{ api_key: string }>(
    stack,
    stack.operator_key,
    'POST',
    `/api/v1/users/${user.user_id}/api-keys`,
    {
      name: 'test',
      scopes: ['read', 'write'],
    },
  );
  return { userId: user.user_id, apiKey: key.api_key };
}

/** One call of the API, without a credential when `bearer` is empty; throws with the answer's text unless it succeeded. */
export async function api<T>(stack: Stack, bearer: string, method: string, path: string, body?: unknown): Promise<T> {
  const answer = await callApi(stack, bearer, method, path, body);
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.status === 204 ? (undefined as T) : ((await answer.json()) as T);
}

/** As `api()`, but gives the answer as it is. */
export function callApi(stack: Stack, bearer: string, method: string, path: string, body?: unknown): Promise<Response> {
  return fetch(`${stack.api_url}${path}`, {
    method,
    headers: {
      ...(bearer === '' ? {} : { authorization: `Bearer ${bearer}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(20_000),
  });
}
