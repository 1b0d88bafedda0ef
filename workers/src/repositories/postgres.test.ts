import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Database } from '@tunnox/db/client';
import { sql } from 'drizzle-orm';
import { createPostgres, PostgresError } from './postgres.ts';

/** Fails with these errors in turn, then answers one row. */
function failing(...errors: Error[]): Database {
  return {
    execute: async () => {
      const error = errors.shift();
      if (error !== undefined) throw new Error('Failed query', { cause: error });
      return { rows: [{ one: 1 }] };
    },
  } as unknown as Database;
}

function refusal(code: string, constraint?: string): Error {
  return Object.assign(new Error('refused'), { name: 'NeonDbError', code, constraint });
}

test('query() tells a refusal with its SQLSTATE and constraint', async () => {
  await assert.rejects(
    createPostgres(failing(refusal('23505', 'users_email_unique'))).query(sql`select 1`),
    (error) => {
      assert.ok(error instanceof PostgresError);
      assert.deepEqual([error.sqlState, error.constraint], ['23505', 'users_email_unique']);
      return true;
    },
  );
});

test('query() tries again after a deadlock, and not for ever', async () => {
  const deadlock = () => refusal('40P01');
  assert.deepEqual(await createPostgres(failing(deadlock(), deadlock())).query(sql`select 1`), [{ one: 1 }]);
  const persistent = createPostgres(failing(deadlock(), deadlock(), deadlock()));
  await assert.rejects(persistent.query(sql`select 1`), { sqlState: '40P01' });
});

test('query() tells that Postgres is away as a retryable error', async () => {
  for (const error of [
    new TypeError('fetch failed'),
    Object.assign(new Error('HTTP status 503'), { name: 'NeonDbError' }),
  ]) {
    const postgres = createPostgres(failing(error));
    await assert.rejects(postgres.query(sql`select 1`), { code: 'unavailable', status: 503, retryAfterS: 2 });
  }
});

test('query() tells a server that cannot work now as away, and a text that cannot be stored as invalid', async () => {
  for (const code of ['53100', '53300', '57014', '57P01', '58030', '08006', '25006', '28P01']) {
    await assert.rejects(createPostgres(failing(refusal(code))).query(sql`select 1`), { code: 'unavailable' }, code);
  }
  for (const code of ['22021', '22P05']) {
    await assert.rejects(createPostgres(failing(refusal(code))).query(sql`select 1`), { code: 'invalid' }, code);
  }
});

test('query() keeps the values of a statement out of its errors', async () => {
  for (const error of [refusal('23505'), refusal('53100'), refusal('42601')]) {
    const told = await createPostgres(failing(error))
      .query(sql`select 1`)
      .catch((reason: unknown) => reason);
    for (let current = told; current instanceof Error; current = current.cause) {
      assert.ok(!current.message.includes('Failed query'), current.message);
    }
  }
});
