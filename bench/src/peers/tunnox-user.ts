import { randomBytes } from 'node:crypto';
import { ApiCaller } from '@tunnox/api-client/api-caller';
import { ManagementApi } from '@tunnox/api-client/management-api';
import { createdApiKeySchema, quotaSetSchema, userSchema, type SetQuota } from '@tunnox/domain/api/users';
import type { Stack } from '@tunnox/devstack/stack-file';

const UNLIMITED: Required<SetQuota> = {
  max_clients: null,
  max_mappings: null,
  max_active_mappings: null,
  max_connections_per_mapping: null,
  total_bandwidth_limit: null,
  monthly_traffic_limit: null,
};

/** Makes a user without limits at the control plane of `stack`; the API calls of that user, and its key. */
export async function makeUser(stack: Stack): Promise<{ user: ManagementApi; apiKey: string }> {
  const caller = new ApiCaller({}, { server: stack.api_url, userAgent: 'tunnox-bench' });
  const post = async <T>(path: string, body: unknown, schema: { parse(value: unknown): T }): Promise<T> =>
    caller.call({
      method: 'POST',
      path,
      body,
      bearer: stack.operator_key,
      repeat: 'by_key',
      parse: (value) => schema.parse(value),
    });
  const name = `bench-${randomBytes(4).toString('hex')}`;
  const { user_id: userId } = await post('/api/v1/users', { username: name, email: `${name}@bench.test` }, userSchema);
  await post(`/api/v1/users/${userId}/quota`, UNLIMITED, quotaSetSchema);
  const { api_key: apiKey } = await post(`/api/v1/users/${userId}/api-keys`, { name: 'bench' }, createdApiKeySchema);
  return { user: new ManagementApi(caller, apiKey), apiKey };
}
