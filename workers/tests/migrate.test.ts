import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { migrate } from '@tunnox/db/migrate';
import { Client } from 'pg';
import { startDatabase, type TestDatabase } from './test-database.ts';

let server: TestDatabase;
before(async () => {
  server = await startDatabase();
});
after(() => server.stop());

async function inDatabase<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: server.url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

test('migrate() of several at once leaves one schema and the plans', async () => {
  await Promise.all(Array.from({ length: 4 }, () => migrate({ url: server.url })));
  const { rows } = await inDatabase((client) => client.query('select name from plans order by name'));
  assert.deepEqual(
    rows.map((row) => row.name),
    ['anonymous', 'enterprise', 'free', 'pro'],
  );
});

test('migrate() changes nothing that is there', async () => {
  await inDatabase((client) => client.query(`update plans set max_clients = 3 where name = 'free'`));
  await migrate({ url: server.url });
  const { rows } = await inDatabase((client) => client.query(`select max_clients::int from plans where name = 'free'`));
  assert.deepEqual(rows, [{ max_clients: 3 }]);
});

test('migrate() says that the database is away', async () => {
  const url = server.url.replace(/:\d+\//, ':1/');
  await assert.rejects(migrate({ url, connectTimeoutMs: 2000 }), /ECONNREFUSED/);
});

test('the schema refuses what no constraint of a sane row allows', async () => {
  const wrong = [
    `insert into users (username, email, status) values ('a', 'a@b', 'gone')`,
    `insert into clients (type, auth_code_hash, name) values ('managed', 'x', 'n')`,
    `insert into clients (client_id, type, auth_code_hash, name) values (600000001, 'anonymous', 'x', 'n')`,
    `insert into plans (name, max_clients) values ('minus', -1)`,
    `insert into http_domain_mappings (full_domain, verification_state, target_host, target_port) values ('UPPER', 'verified', 'h', 1)`,
    `insert into http_domain_mappings (full_domain, verification_state, target_host, target_port) values ('x', 'verified', 'h', 65536)`,
    `insert into port_mappings (protocol, relay_group, remote_port) values ('tcp', 'g', 1)`,
    `insert into port_mappings (protocol, relay_group, remote_port, target_host, target_port) values ('http', 'g', 1, 'h', 1)`,
    `insert into outbox (kind, version, client_ids) values ('binding_changed', 1, '{}')`,
    `insert into api_keys (user_id, name, prefix, hash, scopes) values (1, '', '', '', '{admin}')`,
  ];
  await inDatabase(async (client) => {
    for (const statement of wrong)
      await assert.rejects(client.query(statement), /violates (?:check|foreign)/, statement);
  });
});
