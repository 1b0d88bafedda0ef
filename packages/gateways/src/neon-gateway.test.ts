import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, beforeEach, describe, test } from 'node:test';
import { neon, neonConfig, type NeonDbError, Pool } from '@neondatabase/serverless';
import { type PostgresFixture, startPostgres } from '@tunnox/testing/postgres-fixture';
import { NeonGateway } from './neon-gateway.ts';

let postgres: PostgresFixture;
let gateway: NeonGateway;
let url: string;

before(async () => {
  postgres = await startPostgres();
  gateway = new NeonGateway(
    { log: { warn: () => {} } },
    { host: '127.0.0.1', port: 0, databaseUrl: postgres.url, connectionsMax: 3, statementTimeoutMs: 1000 },
  );
  await gateway.start();
  // The host is that of Neon, or of the gateway: never compared.
  url = postgres.url.replace(/@[^/]+/, '@db.example.com');
  neonConfig.fetchEndpoint = () => `${gateway.url}/sql`;
  neonConfig.poolQueryViaFetch = true;
});
after(async () => {
  await gateway.stop();
  await postgres.stop();
});
beforeEach(async () => {
  await neon(url)`DROP TABLE IF EXISTS item`;
  await neon(url)`CREATE TABLE item (id int PRIMARY KEY, name text NOT NULL)`;
});

const post = (body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${gateway.url}/sql`, {
    method: 'POST',
    headers: { 'neon-connection-string': url, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

describe('NeonGateway with the Neon client', () => {
  test('gives every type back as the client reads it from Postgres', async () => {
    const when = new Date('2026-01-02T03:04:05.678Z');
    const [row] = await neon(url)`SELECT ${7}::int4 AS int4, ${'9007199254740993'}::int8 AS int8, ${true}::bool AS bool,
      ${1.5}::float8 AS float8, ${null}::text AS nothing, ${when}::timestamptz AS at, ${JSON.stringify({ a: [1] })}::jsonb AS json,
      ${[1, 2]}::int4[] AS list, ${Buffer.from([0, 255])}::bytea AS bytes, ${"o'x \\ ü"}::text AS text, ${'12.30'}::numeric AS numeric`;
    assert.deepEqual(row, {
      int4: 7,
      int8: '9007199254740993',
      bool: true,
      float8: 1.5,
      nothing: null,
      at: when,
      json: { a: [1] },
      list: [1, 2],
      bytes: Buffer.from([0, 255]),
      text: "o'x \\ ü",
      numeric: '12.30',
    });
  });

  test('gives arrays and full results when asked', async () => {
    const result = await neon(url, { fullResults: true, arrayMode: true }).query(
      'INSERT INTO item VALUES ($1, $2), ($3, $4) RETURNING id, name',
      [1, 'a', 2, 'b'],
    );
    assert.deepEqual(result.rows, [
      [1, 'a'],
      [2, 'b'],
    ]);
    assert.equal(result.rowCount, 2);
    assert.equal(result.command, 'INSERT');
    assert.deepEqual(
      result.fields.map(({ name, dataTypeID }) => [name, dataTypeID]),
      [
        ['id', 23],
        ['name', 25],
      ],
    );
  });

  test('keeps two columns of one name apart in array mode', async () => {
    const rows = await neon(url, { arrayMode: true }).query('SELECT 1 AS x, 2 AS x');
    assert.deepEqual(rows, [[1, 2]]);
  });

  test('gives the fields of a Postgres error', async () => {
    await neon(url)`INSERT INTO item VALUES (1, 'a')`;
    await assert.rejects(neon(url)`INSERT INTO item VALUES (1, 'b')`.then(), (error: NeonDbError) => {
      assert.equal(error.code, '23505');
      assert.equal(error.constraint, 'item_pkey');
      assert.equal(error.table, 'item');
      assert.equal(error.severity, 'ERROR');
      assert.match(error.detail ?? '', /already exists/);
      assert.match(error.message, /duplicate key value/);
      return true;
    });
  });

  test('carries out the queries of a transaction together', async () => {
    const sql = neon(url);
    const [first, second] = await sql.transaction([
      sql`INSERT INTO item VALUES (1, 'a') RETURNING name`,
      sql`SELECT count(*)::int AS n FROM item`,
    ]);
    assert.deepEqual([first, second], [[{ name: 'a' }], [{ n: 1 }]]);
  });

  test('undoes all queries of a transaction when one fails, also at its end', async () => {
    const sql = neon(url);
    await assert.rejects(sql.transaction([sql`INSERT INTO item VALUES (1, 'a')`, sql`SELECT 1/0`]), { code: '22012' });
    await sql`ALTER TABLE item ADD CONSTRAINT deferred UNIQUE (name) DEFERRABLE INITIALLY DEFERRED`;
    await assert.rejects(
      sql.transaction([sql`INSERT INTO item VALUES (1, 'a')`, sql`INSERT INTO item VALUES (2, 'a')`]),
      { code: '23505' },
    );
    assert.deepEqual(await sql`SELECT * FROM item`, []);
  });

  test('passes isolation, read-only and deferrable on to the transaction', async () => {
    const sql = neon(url);
    const settings = sql`SELECT current_setting('transaction_isolation') AS isolation,
      current_setting('transaction_read_only') AS read_only, current_setting('transaction_deferrable') AS deferrable`;
    const all = { isolationLevel: 'Serializable', readOnly: true, deferrable: true } as const;
    const results = await sql.transaction([settings], all);
    assert.deepEqual(results[0]?.[0], { isolation: 'serializable', read_only: 'on', deferrable: 'on' });
    await assert.rejects(sql.transaction([sql`INSERT INTO item VALUES (1, 'a')`], { readOnly: true }), {
      code: '25006',
    });
  });

  test('serves a Pool that queries by fetch', async () => {
    const pool = new Pool({ connectionString: url });
    const { rows } = await pool.query('SELECT $1::int + 1 AS n', [41]);
    assert.deepEqual(rows, [{ n: 42 }]);
  });

  test('refuses a wrong password, user or database without asking Postgres', async () => {
    for (const wrong of [
      url.replace('secret', 'Secret'),
      url.replace('tunnox:', 'postgres:'),
      url.replace(/\/tunnox$/, '/postgres'),
    ]) {
      await assert.rejects(neon(wrong)`SELECT 1`.then(), { code: '28P01' });
    }
  });

  test('ends a statement that runs too long', async () => {
    await assert.rejects(neon(url)`SELECT pg_sleep(30)`.then(), { code: '57014' });
  });

  test('never hands a connection with changed settings or an open transaction to the next caller', async () => {
    const sql = neon(url);
    await sql`SET search_path TO nowhere`;
    await sql`BEGIN`;
    await assert.rejects(sql.query('SELECT * FROM no_such_table'), { code: '42P01' });
    for (let i = 0; i < 4; i++) {
      assert.deepEqual(await sql`SHOW search_path`, [{ search_path: '"$user", public' }]);
      await assert.rejects(sql`SAVEPOINT needs_a_transaction`.then(), { code: '25P01' });
    }
  });

  test('refuses several statements in one query', async () => {
    await assert.rejects(neon(url).query("INSERT INTO item VALUES (1, 'a'); SELECT 1"), { code: '42601' });
  });

  test('lets more callers wait than it has connections', async () => {
    const sql = neon(url);
    const rows = await Promise.all(Array.from({ length: 50 }, (_, n) => sql`SELECT ${n}::int AS n`));
    assert.deepEqual(
      rows.map(([row]) => row?.['n']),
      Array.from({ length: 50 }, (_, n) => n),
    );
  });

  test('answers 503 while Postgres is away and serves again when it is back', async () => {
    await postgres.pause();
    await assert.rejects(neon(url)`SELECT 1`.then(), /HTTP status 503\): The database is away/);
    await postgres.resume();
    assert.deepEqual(await neon(url)`SELECT 1 AS n`, [{ n: 1 }]);
  });
});

describe('NeonGateway over plain HTTP', () => {
  test('gives JSON values and objects unless raw text and arrays are asked for', async () => {
    const query =
      "SELECT 1 AS n, true AS b, '{\"a\":1}'::json AS j, 'NaN'::float8 AS nan, 10000000000 AS big, NULL AS x";
    const plain = (await (await post({ query })).json()) as { rows: unknown };
    assert.deepEqual(plain.rows, [{ n: 1, b: true, j: { a: 1 }, nan: 'NaN', big: '10000000000', x: null }]);
    const headers = { 'neon-raw-text-output': 'true', 'neon-array-mode': 'true' };
    const raw = (await (await post({ query }, headers)).json()) as { rows: unknown; rowAsArray: boolean };
    assert.deepEqual(raw.rows, [['1', 't', '{"a":1}', 'NaN', '10000000000', null]]);
    assert.equal(raw.rowAsArray, true);
    const one = (await (await post({ query: 'SELECT 1 AS n', arrayMode: true })).json()) as { rows: unknown };
    assert.deepEqual(one.rows, [[1]]);
  });

  test('refuses what it cannot read', async () => {
    for (const body of ['', '{', '[]', '{"query":1}', '{"query":"SELECT $1","params":[{}]}', '{"queries":[1]}']) {
      const response = await post(body);
      assert.equal(response.status, 400, body);
      assert.match(((await response.json()) as { message: string }).message, /^The request body must be/);
    }
    const isolation = await post({ queries: [] }, { 'neon-batch-isolation-level': 'toString' });
    assert.equal(isolation.status, 400);
    assert.equal((await fetch(`${gateway.url}/sql`)).status, 405);
    assert.equal((await fetch(`${gateway.url}/`)).status, 404);
    assert.equal((await post({ query: 'SELECT 1' }, { 'neon-connection-string': '' })).status, 400);
  });

  test('refuses a body of more than 10 MiB and serves on', async () => {
    const response = await post(JSON.stringify({ query: 'SELECT 1', params: ['x'.repeat(11 * 1024 * 1024)] }));
    assert.equal(response.status, 413);
    await response.text();
    assert.equal((await post({ query: 'SELECT 1' })).status, 200);
  });

  test('refuses a stranger by the head of its request, before the body has come', async () => {
    const request = http.request(`${gateway.url}/sql`, {
      method: 'POST',
      headers: { 'neon-connection-string': 'postgresql://u:wrong@h/d', 'content-length': 5_000_000 },
    });
    request.on('error', () => {});
    request.write('x');
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    assert.equal(response.statusCode, 400);
    request.destroy();
  });

  test('answers 200 on /healthz', async () => {
    assert.equal(await (await fetch(`${gateway.url}/healthz`)).text(), 'ok');
  });
});

test('NeonGateway start() and stop() may be called twice', async () => {
  const other = new NeonGateway(
    { log: { warn: () => {} } },
    { host: '127.0.0.1', port: 0, databaseUrl: 'postgresql://u:p@127.0.0.1:1/d' },
  );
  await other.start();
  await other.start();
  await other.stop();
  await other.stop();
});
