import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { migrate } from '@tunnox/db/migrate';
import type { Client } from 'pg';
import { type Fixture, readFixture } from './previous-version/fixture.ts';
import { MIGRATIONS, PreviousDatabases } from './previous-version/previous-databases.ts';
import { listColumns, listTables, readEverything, readRows, type Row } from './previous-version/table-dump.ts';

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
    setup: null,
    setup_due_at: null,
    ends_with_client: 'false',
    made_attached: 'false',
  },
  port_mappings: { namespace_id: null, expires_at: null, ends_with_client: 'false', made_attached: 'false' },
  relay_nodes: { public_ipv4: null, public_ipv6: null, left_at: null, lost_at: null },
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
    // The newest first.
    for (const file of (await readdir(new URL('down/', MIGRATIONS))).toSorted().toReversed()) {
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

async function countRows(database: Client): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const table of await listTables(database)) counts[table] = (await readRows(database, table)).length;
  return counts;
}
