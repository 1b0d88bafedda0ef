import assert from 'node:assert/strict';
import type { Client } from 'pg';
import type { Facts, KnownClient } from './fixture.ts';
import type { MadeClients } from './make-clients.ts';
import type { WorkerOnDatabase } from './worker-on-database.ts';

/** Changes of which nobody was told: the Worker died before it claimed the row, or after. */
export async function leaveUndelivered(
  worker: WorkerOnDatabase,
  database: Client,
  keys: Facts['keys'],
  { server }: MadeClients,
): Promise<{ client: KnownClient; domain: string }> {
  const made = await worker.call('POST', '/clients', { client_name: 'to be disabled' }, keys.full);
  const client = { clientId: made['client_id'] as number, authCode: made['auth_code'] as string };
  const fail = async (when: string, work: () => Promise<unknown>) => {
    await database.query(
      `create trigger fault before update on outbox for each row when (${when}) execute function fault()`,
    );
    await work();
    await database.query('drop trigger fault on outbox');
  };
  await database.query(
    `create function fault() returns trigger language plpgsql as $$ begin raise exception 'fault'; end $$`,
  );
  const domain = { client_id: server.clientId, subdomain: 'untold', target_port: 3001 };
  await fail('new.attempts > 0', () => worker.call('POST', '/domains', domain, keys.full));
  await fail('new.delivered_at is not null', () =>
    worker.call('PUT', `/clients/${client.clientId}`, { enabled: false }, keys.full),
  );
  await database.query('drop function fault()');
  const { rows } = await database.query(
    `select claimed_at is not null as claimed from outbox where delivered_at is null order by id`,
  );
  assert.deepEqual(rows, [{ claimed: false }, { claimed: true }]);
  return { client, domain: 'untold.tunnox.example' };
}
