import assert from 'node:assert/strict';
import { type FakeRelay, instanceId } from '../fake-relay.ts';
import type { Body } from '../test-stack.ts';
import type { WorkerOnDatabase } from './worker-on-database.ts';

/** What a day with the API consists of. @returns The name that was left. */
export async function mainCalls(worker: WorkerOnDatabase, relay: FakeRelay): Promise<{ name: string }> {
  const unique = `u${Date.now().toString(36)}`;
  const person = { username: unique, email: `${unique}@customer.example`, password: 'a password', plan: 'pro' };
  const user = await worker.call('POST', '/users', person);
  const userId = user['user_id'] as number;
  const key = await worker.call('POST', `/users/${userId}/api-keys`, { name: 'all' });
  const token = key['api_key'] as string;
  const source = await worker.call('POST', '/clients', { client_name: 'source' }, token);
  const target = await worker.call('POST', '/clients', { client_name: 'target' }, token);
  const target_client_id = target['client_id'] as number;

  const agent = { client_id: target_client_id, instance_id: instanceId(), connect_seq: 1 };
  const [attached] = await relay.attach({ ...agent, generation: 1, mode: 'attach' });
  assert.equal(attached?.outcome, 'accepted');
  const mapping = await applied(relay, target_client_id, () =>
    worker.call(
      'POST',
      '/mappings',
      { source_client_id: source['client_id'], target_client_id, target_port: 5432, local_port: 5433 },
      token,
    ),
  );
  const named = { client_id: target_client_id, subdomain: unique, target_port: 80 };
  const domain = await applied(relay, target_client_id, () => worker.call('POST', '/domains', named, token));
  await applied(relay, target_client_id, () =>
    worker.call('PUT', `/mappings/${mapping['mapping_id']}`, { enabled: false }, token),
  );
  const found = await relay.lookup(domain['full_domain'] as string);
  assert.equal(found.found && found.upstreams[0]?.node?.node_id, relay.nodeId);

  const { incarnation } = relay.registration;
  const counted = { binding_id: `domain:${domain['domain_id']}`, client_id: target_client_id, user_id: userId };
  const entries = [{ ...counted, bytes_in: 10, bytes_out: 1000, connections: 1 }];
  const reported = await relay.call('/usage', { body: { incarnation, sequence: 1, entries } });
  assert.equal(reported.status, 200, await reported.clone().text());
  await worker.call('POST', `/users/${userId}/quota`, { max_clients: 2 });
  const use = await worker.call('GET', `/users/${userId}/quota`, undefined, token);
  assert.deepEqual([use['current_clients'], use['current_mappings'], use['current_month_traffic']], [2, 2, 1010]);
  assert.equal((await worker.tryCall('POST', '/clients', { client_name: 'third' }, token)).status, 403);

  await worker.call('DELETE', `/mappings/${mapping['mapping_id']}`, undefined, token);
  await worker.call('DELETE', `/clients/${source['client_id']}`, undefined, token);
  assert.equal((await worker.call('GET', '/clients', undefined, token))['total'], 1);
  await worker.call('DELETE', `/users/${userId}/api-keys/${key['key_id']}`);
  assert.equal((await worker.tryCall('GET', '/me', undefined, token)).status, 401);
  return { name: domain['full_domain'] as string };
}

/** Makes a change at a client whose agent applies it. */
async function applied(relay: FakeRelay, clientId: number, change: () => Promise<Body>): Promise<Body> {
  const answer = change();
  const { policy } = await relay.receive('policy', (message) => message.policy.client_id === clientId);
  relay.send({ type: 'config_applied', client_id: clientId, version: policy.config_version, problems: [] });
  const body = await answer;
  const delivery = body['delivery'] as { client_id: number; state: string }[];
  assert.equal(delivery.find((item) => item.client_id === clientId)?.state, 'applied');
  return body;
}
