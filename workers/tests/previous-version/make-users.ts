import type { Body } from '../test-stack.ts';
import type { Facts } from './fixture.ts';
import type { WorkerOnDatabase } from './worker-on-database.ts';

const PASSWORDS = { ada: 'a lovely password', bob: 'correct horse battery' };

/** bcrypt of bob's, as a site that moves here would bring it. */
const BCRYPT_HASH = '$2b$10$TVPxzfTNjp0rAASrdBZNPeReYbfY2VCtqGk5rW5y3i18FNHPqx8Li';

const WRITES = { scopes: ['read', 'write'] };

/** Users of every status, quotas, and keys that are used, limited, and revoked. */
export async function makeUsers(worker: WorkerOnDatabase): Promise<Pick<Facts, 'users' | 'passwords' | 'keys'>> {
  const make = async (body: object): Promise<number> =>
    (await worker.call('POST', '/users', body))['user_id'] as number;
  const ada = await make({ username: 'ada', email: 'Ada@customer.example', password: PASSWORDS.ada, plan: 'pro' });
  const bob = await make({ username: 'bob', email: 'bob@customer.example', password_hash: BCRYPT_HASH });
  const carol = await make({ username: 'carol', email: 'carol@customer.example', plan: 'team' });
  const deleted = await make({ username: 'dave', email: 'dave@customer.example', plan: 'enterprise' });
  await worker.call('POST', `/users/${ada}/quota`, { max_clients: 20, monthly_traffic_limit: null });
  await worker.call('POST', `/users/${bob}/quota`, { monthly_traffic_limit: 5_000_000 });
  const key = async (userId: number, body: object): Promise<Body> =>
    worker.call('POST', `/users/${userId}/api-keys`, body);
  const inTenYears = new Date(Date.now() + 3650 * 86_400_000).toISOString();
  const revoked = await key(ada, { name: 'lost', ...WRITES });
  const keys = {
    full: await key(ada, { name: 'laptop', ...WRITES }),
    read: await key(ada, { name: 'dashboard', scopes: ['read'] }),
    lasting: await key(ada, { name: 'robot', ...WRITES, expires_at: inTenYears }),
    revoked,
    bob: await key(bob, { name: 'bob' }),
  };
  const gone = await key(deleted, {});
  await worker.call('GET', '/me', undefined, revoked['api_key'] as string);
  await worker.call('DELETE', `/users/${ada}/api-keys/${revoked['key_id']}`);
  await worker.call('POST', '/clients', { client_name: 'of dave' }, gone['api_key'] as string);
  await worker.call('DELETE', `/users/${deleted}`);
  await worker.call('PUT', `/users/${carol}`, { status: 'disabled' });
  await worker.call('PUT', `/users/${ada}`, { username: 'ada.l' });
  const texts = Object.entries(keys).map(([name, made]) => [name, made['api_key'] as string]);
  return {
    passwords: PASSWORDS,
    users: { ada, bob, carol, deleted },
    keys: Object.fromEntries(texts) as Facts['keys'],
  };
}
