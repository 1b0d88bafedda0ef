import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { migrate } from '@tunnox/db/migrate';
import { bundleWorker } from '@tunnox/devstack/worker-bundle';
import { decodeProtectedHeader } from 'jose';
import type { Client } from 'pg';
import { FakeRelay } from './fake-relay.ts';
import { type Fixture, readFixture, readPreviousWorker } from './previous-version/fixture.ts';
import { mainCalls } from './previous-version/main-calls.ts';
import { MIGRATIONS, PreviousDatabases } from './previous-version/previous-databases.ts';
import { listColumns, listTables, readEverything, readRows, type Row } from './previous-version/table-dump.ts';
import { WorkerOnDatabase } from './previous-version/worker-on-database.ts';
import type { Body } from './test-stack.ts';

/**
 * Columns that the migrations since the previous version add to its tables, with what they hold in its rows; `now` is the
 * time of the migration.
 */
const NEW_COLUMNS: Record<string, Row> = {
  clients: {
    namespace_id: null,
    config_problems: '[]',
    online_seconds: '0',
    total_bytes_in: '0',
    total_bytes_out: '0',
    total_connections: '0',
    suspended_at: null,
    suspended_reason: null,
    handover_encrypted: null,
    row_version: '1',
  },
  http_domain_mappings: {
    namespace_id: null,
    verified_at: null,
    proof_checked_at: null,
    proof_missing_since: null,
    proof_due_at: 'now',
    ends_with_client: 'false',
  },
  port_mappings: { namespace_id: null, expires_at: null, ends_with_client: 'false' },
  signing_keys: { algorithm: 'ES256' },
  users: { row_version: '1' },
};

let fixture: Fixture;
let databases: PreviousDatabases;
before(async () => {
  fixture = await readFixture();
  databases = await PreviousDatabases.start(fixture);
});
after(() => databases?.stop());

describe('the schema', () => {
  test('was only added to: released migrations are as they were', async () => {
    for (const { tag, hash } of fixture.migrations) {
      const text = await readFile(new URL(`${tag}.sql`, MIGRATIONS), 'utf8');
      assert.equal(createHash('sha256').update(text).digest('hex'), hash, `${tag}.sql was changed`);
    }
  });

  test('migrate() keeps every row of every table as it was, and gives new columns their defaults', async () => {
    const database = await databases.open('kept');
    try {
      const tables = await listTables(database);
      const columns = new Map<string, string[]>();
      const rows = new Map<string, Row[]>();
      for (const table of tables) {
        columns.set(table, await listColumns(database, table));
        rows.set(table, await readRows(database, table));
        assert.notEqual(rows.get(table)?.length, 0, `the fixture has rows in ${table}`);
      }
      const sequences = await readSequences(database);
      const startedAt = new Date();
      await migrate({ url: databases.urlOf('kept') });
      for (const table of tables) {
        assert.deepEqual(await readRows(database, table, columns.get(table)), rows.get(table), table);
      }
      assert.deepEqual({ ...(await readSequences(database)), ...sequences }, await readSequences(database));

      const added: Record<string, Row> = {};
      for (const table of await listTables(database)) {
        const old = columns.get(table);
        const held = await readRows(database, table);
        if (old === undefined) {
          assert.deepEqual(held, [], `${table} is new and empty`);
          continue;
        }
        for (const column of (await listColumns(database, table)).filter((name) => !old.includes(name))) {
          const values = [...new Set(held.map((row) => nowOr(row[column] ?? null, startedAt)))];
          assert.equal(values.length, 1, `${table}.${column} is the same in every old row`);
          added[table] = { ...added[table], [column]: values[0] ?? null };
        }
      }
      assert.deepEqual(added, NEW_COLUMNS);
    } finally {
      await database.end();
    }
  });

  test('migrate() changes nothing the second time', async () => {
    const database = await databases.open('twice');
    try {
      await migrate({ url: databases.urlOf('twice') });
      const once = await readEverything(database);
      await migrate({ url: databases.urlOf('twice') });
      assert.deepEqual(await readEverything(database), once);
    } finally {
      await database.end();
    }
  });

  test('migrate() of several at once on the previous data is as one', async () => {
    const database = await databases.open('several');
    try {
      const counts = await countRows(database);
      await Promise.all(Array.from({ length: 4 }, () => migrate({ url: databases.urlOf('several') })));
      const after = await countRows(database);
      assert.deepEqual({ ...after, ...counts }, after);
      const { rows } = await database.query('select hash from drizzle.__drizzle_migrations');
      assert.equal(new Set(rows.map((row: { hash: string }) => row.hash)).size, rows.length);
    } finally {
      await database.end();
    }
  });

  test('the way down that is documented leads back to the old schema, and up again', async () => {
    const database = await databases.open('down');
    try {
      const { tables, ...before } = await readEverything(database);
      await migrate({ url: databases.urlOf('down') });
      const { constraints, indexes } = await readEverything(database);
      // What the old schema cannot hold.
      await database.query(
        `insert into api_keys (user_id, name, prefix, hash, scopes) values ($1, 'area', 'tnx', 'h', '{clients:read}')`,
        [fixture.facts.users.ada],
      );
      await database.query(
        `insert into signing_keys (kid, purpose, algorithm, private_key_encrypted) values ('k', 'session', 'HS256', 'x')`,
      );
      for (const file of await readdir(new URL('down/', MIGRATIONS))) {
        await database.query(await readFile(new URL(`down/${file}`, MIGRATIONS), 'utf8'));
      }
      const { tables: left, ...after } = await readEverything(database);
      assert.deepEqual(after, { ...before, sequences: after.sequences });
      assert.deepEqual(left, tables);
      await migrate({ url: databases.urlOf('down') });
      const again = await readEverything(database);
      assert.deepEqual([again.constraints, again.indexes], [constraints, indexes]);
    } finally {
      await database.end();
    }
  });

  test('migrate() that fails half-way leaves the database as it was', async () => {
    const database = await databases.open('fails');
    try {
      // In the way of the last thing that the newest migrations do with old tables.
      await database.query('create table connection_log (id int)');
      const before = await readEverything(database);
      await assert.rejects(migrate({ url: databases.urlOf('fails') }));
      assert.deepEqual(await readEverything(database), before);
    } finally {
      await database.end();
    }
  });
});

describe('the Workers on one database and one set of Durable Objects', () => {
  let database: Client;
  let storageDir: string;
  /** What the previous Worker gave out on the new schema. */
  let given: { session: Body; relayToken: string; privateJwk: object; name: string };

  const start = (bundle: Parameters<typeof WorkerOnDatabase.start>[0]['bundle']) =>
    WorkerOnDatabase.start({ bundle, databaseUrl: databases.urlOf('workers'), storageDir, ...fixture });

  before(async () => {
    storageDir = await mkdtemp(join(tmpdir(), 'tunnox-upgrade-'));
    database = await databases.open('workers');
    await migrate({ url: databases.urlOf('workers') });
  });
  after(async () => {
    await database?.end();
    await rm(storageDir, { recursive: true, force: true });
  });

  test('the previous Worker works on the new schema', async () => {
    const worker = await start(await readPreviousWorker(fixture));
    const relays: FakeRelay[] = [];
    try {
      const relay = await comeBack(worker, fixture.facts.relays[0]);
      relays.push(relay);
      const mine = await mainCalls(worker, relay);
      const { facts } = fixture;
      const session = await worker.session(facts.clients.laptop);
      assert.deepEqual(secretsOf(session), facts.secrets);
      given = {
        session,
        relayToken: relay.registration.token,
        privateJwk: await relay.privateJwk(),
        name: mine.name,
      };
      const use = await worker.call('GET', `/users/${facts.users.ada}/quota`);
      assert.equal(use['current_month_traffic'], 2600 + 8_000_040_000);
      await worker.call('DELETE', `/users/${facts.users.bob}`);
      assert.equal((await worker.tryCall('GET', '/me', undefined, facts.keys.bob)).status, 401);
    } finally {
      for (const relay of relays) relay.drop();
      await worker.stop();
    }
  });

  test('the new Worker takes over: credentials, secrets, keys, changes that nobody was told of', async () => {
    const worker = await start(await bundleWorker(new URL('../../', import.meta.url)));
    const relays: FakeRelay[] = [];
    try {
      await checkCredentials(worker);
      await checkAgents(worker);

      // Tokens of the previous Worker count, and its keys go on signing.
      const { access_token, ticket } = given.session as { access_token: string; ticket: string };
      const config = await worker.call('GET', '/agent/v1/config?since=-1', undefined, access_token);
      assert.deepEqual(config, given.session['config']);
      const stranger = new FakeRelay(worker.apiUrl);
      assert.equal((await stranger.call('/peers', { token: given.relayToken })).status, 200);
      const relay = await comeBack(worker, { ...fixture.facts.relays[0], privateJwk: given.privateJwk });
      relays.push(relay);
      const kids = relay.registration.ticket_keys.keys.map((key) => key.kid);
      assert.ok(kids.includes(decodeProtectedHeader(ticket).kid));
      const { rows } = await database.query(`select kid from signing_keys where purpose = 'ticket'`);
      assert.deepEqual(
        rows.map((row: { kid: string }) => row.kid),
        [decodeProtectedHeader(ticket).kid],
      );

      const untold = fixture.facts.clients.disabledUntold.clientId;
      await worker.sweep();
      const told = await relay.receive('void_tickets', (message) => message.client_id === untold);
      assert.equal(told.code, 'disabled');
      const left = await database.query('select id from outbox where delivered_at is null');
      assert.deepEqual(left.rows, []);
      for (const name of [fixture.facts.domains.name, fixture.facts.domains.untold, given.name]) {
        assert.equal((await relay.lookup(name)).found, true, name);
      }
      await checkRepetition(worker);
      await mainCalls(worker, relay);
    } finally {
      for (const relay of relays) relay.drop();
      await worker.stop();
    }
  });

  test('the previous Worker goes on with what the new one has written', async () => {
    const worker = await start(await readPreviousWorker(fixture));
    const relays: FakeRelay[] = [];
    try {
      const relay = await comeBack(worker, fixture.facts.relays[0]);
      relays.push(relay);
      await mainCalls(worker, relay);
      for (const list of [
        '/users',
        '/clients',
        '/mappings',
        '/domains',
        '/routes',
        '/nodes',
        '/join-tokens',
        '/plans',
      ]) {
        await worker.call('GET', list);
      }
      assert.deepEqual(secretsOf(await worker.session(fixture.facts.clients.laptop)), fixture.facts.secrets);
    } finally {
      for (const relay of relays) relay.drop();
      await worker.stop();
    }
  });

  test('docs/UPGRADING.md names every class of Durable Objects that a way back has to keep', async () => {
    const { objects } = await bundleWorker(new URL('../../', import.meta.url));
    const text = await readFile(new URL('../../docs/UPGRADING.md', import.meta.url), 'utf8');
    const old = Object.values(fixture.worker.objects);
    for (const name of Object.values(objects).filter((one) => !old.includes(one))) {
      assert.ok(text.includes(`export class ${name} extends DurableObject {}`), name);
    }
  });

  async function checkCredentials(worker: WorkerOnDatabase): Promise<void> {
    const { users, keys } = fixture.facts;
    for (const key of [keys.full, keys.read, keys.lasting]) {
      const me = await worker.call('GET', '/me', undefined, key);
      assert.equal(me['user']['user_id'], users.ada);
    }
    assert.equal((await worker.tryCall('GET', '/me', undefined, keys.revoked)).status, 401);
    assert.equal((await worker.tryCall('POST', '/clients', { client_name: 'no' }, keys.read)).status, 403);
    await worker.call(
      'PUT',
      `/clients/${fixture.facts.clients.rotated.clientId}`,
      { client_desc: 'yes' },
      keys.lasting,
    );
  }

  async function checkAgents(worker: WorkerOnDatabase): Promise<void> {
    const { clients, domains, domainIds, secrets, keys } = fixture.facts;
    assert.deepEqual(secretsOf(await worker.session(clients.laptop)), secrets);
    for (const client of [clients.server, clients.rotated, clients.anonymous]) await worker.session(client);
    const body = { agent_version: 'test', protocol: 1 };
    for (const [client, code] of [
      [clients.disabled, 'client_disabled'],
      [clients.claimed, 'client_claimed'],
    ] as const) {
      const { clientId: client_id, authCode: auth_code } = client;
      const refused = await worker.tryCall('POST', '/agent/v1/session', { ...body, client_id, auth_code }, null);
      assert.equal(refused.body['code'], code);
    }
    const pending = await worker.call('GET', `/domains/${domainIds.pending}`, undefined, keys.full);
    assert.deepEqual([pending['full_domain'], pending['status']], [domains.pending, 'pending_verification']);
  }

  /** A request that the previous version answered is not carried out again. */
  async function checkRepetition(worker: WorkerOnDatabase): Promise<void> {
    const { key, path, body, answer } = fixture.facts.repeatable;
    const again = await worker.tryCall('POST', path, body, fixture.facts.keys.full, { 'idempotency-key': key });
    assert.equal(again.status, 201);
    assert.deepEqual(again.body, answer);
  }
});

/** A relay of the previous version registers by its key, without a join token, and has its id again. */
async function comeBack(
  worker: WorkerOnDatabase,
  known: { nodeId?: string; privateJwk?: object } | undefined,
): Promise<FakeRelay> {
  const relay = new FakeRelay(worker.apiUrl, known?.privateJwk);
  await relay.register();
  assert.equal(relay.nodeId, known?.nodeId);
  await relay.open();
  return relay;
}

function secretsOf(session: Body): Record<string, string> {
  const { bindings } = session['config'] as { bindings: { binding_id: string; secret: string | null }[] };
  return Object.fromEntries(
    bindings.flatMap(({ binding_id, secret }) => (secret === null ? [] : [[binding_id, secret]])),
  );
}

async function countRows(database: Client): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const table of await listTables(database)) counts[table] = (await readRows(database, table)).length;
  return counts;
}

async function readSequences(database: Client): Promise<Record<string, string | null>> {
  const { rows } = await database.query<{ sequencename: string; last_value: string | null }>(
    `select sequencename, last_value::text from pg_sequences where schemaname = 'public'`,
  );
  return Object.fromEntries(rows.map((row) => [row.sequencename, row.last_value]));
}

/** `now` for a time of this run of the test. */
function nowOr(value: string | null, startedAt: Date): string | null {
  const isTime = value !== null && /^\d{4}-\d\d-\d\d /.test(value);
  // The test itself takes a second; what the fixture brings is an hour old.
  return isTime && Math.abs(new Date(value).getTime() - startedAt.getTime()) < 60_000 ? 'now' : value;
}
