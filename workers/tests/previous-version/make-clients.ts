import assert from 'node:assert/strict';
import type { Facts, KnownClient } from './fixture.ts';
import type { WorkerOnDatabase } from './worker-on-database.ts';

export type MadeClients = Omit<Facts['clients'], 'claimed' | 'disabledUntold'>;

/** Clients of every kind but those that were claimed. */
export async function makeClients(worker: WorkerOnDatabase, keys: Facts['keys']): Promise<MadeClients> {
  const make = async (name: string, token = keys.full): Promise<KnownClient> => {
    const made = await worker.call('POST', '/clients', { client_name: name, client_desc: `"${name}", ünïcode` }, token);
    return { clientId: made['client_id'] as number, authCode: made['auth_code'] as string };
  };
  const server = await make('server');
  const laptop = await make('laptop');
  const rotated = await make('rotated');
  const code = await worker.call('POST', `/clients/${rotated.clientId}/rotate-code`, undefined, keys.full);
  const disabled = await make('disabled');
  await worker.call('PUT', `/clients/${disabled.clientId}`, { enabled: false }, keys.full);
  await make('of bob', keys.bob);
  const deleted = await make('deleted');
  await worker.call('DELETE', `/clients/${deleted.clientId}`, undefined, keys.full);
  const anonymous = await makeAnonymous(worker);
  return { server, laptop, rotated: { ...rotated, authCode: code['auth_code'] as string }, disabled, anonymous };
}

export async function makeAnonymous(worker: WorkerOnDatabase): Promise<KnownClient> {
  const headers = { 'cf-connecting-ip': '198.51.100.7' };
  const body = { agent_version: '0.1.0', protocol: 1 };
  const made = await worker.tryCall('POST', '/agent/v1/session', body, null, headers);
  assert.equal(made.status, 200);
  return { clientId: made.body['client_id'] as number, authCode: made.body['auth_code'] as string };
}
