import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { freePort } from '@tunnox/testing/free-port';
import { Client } from 'pg';
import { EmbeddedPostgres } from './postgres.ts';
import { describeProcess } from './process-table.ts';

let dir: string;
let port: number;
let server: EmbeddedPostgres;
const make = (password = 'a/b c%') => new EmbeddedPostgres({ dir, port, password, durable: true });

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tunnox-pg-'));
  port = await freePort();
  server = make();
});
afterEach(async () => {
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

test('EmbeddedPostgres keeps its data over a stop and over a kill', async () => {
  await server.start();
  await query(server.url, 'CREATE TABLE t AS SELECT 1 AS n');
  await server.stop();
  await server.start();
  await query(server.url, 'INSERT INTO t VALUES (2)');
  const exited = server.exited();
  process.kill(server.pid ?? 0, 'SIGKILL');
  await exited;
  await server.start();
  assert.deepEqual(await query(server.url, 'SELECT n FROM t ORDER BY n'), [{ n: 1 }, { n: 2 }]);
});

test('EmbeddedPostgres wants the password, and listens on 127.0.0.1 only', async () => {
  await server.start();
  const wrong = server.url.replace('a%2Fb', 'x');
  await assert.rejects(query(wrong, 'SELECT 1'), { code: '28P01' });
  assert.deepEqual(await query(server.url, 'SHOW listen_addresses'), [{ listen_addresses: '127.0.0.1' }]);
  assert.deepEqual(await query(server.url, 'SHOW unix_socket_directories'), [{ unix_socket_directories: '' }]);
});

test('EmbeddedPostgres.start() ends a server that an unclean end left running on its data', async () => {
  await server.start();
  const left = server.pid ?? 0;
  const leftExited = server.exited();
  const next = make();
  await next.start();
  try {
    await leftExited;
    assert.equal(await describeProcess(left), null);
    assert.deepEqual(await query(next.url, 'SELECT 1 AS n'), [{ n: 1 }]);
  } finally {
    await next.stop();
  }
});

test('EmbeddedPostgres.start() leaves a stranger alone who has got the pid of a dead server', async () => {
  await server.start();
  const pidFile = join(dir, 'data', 'postmaster.pid');
  const text = await readFile(pidFile, 'utf8');
  const exited = server.exited();
  process.kill(server.pid ?? 0, 'SIGKILL');
  await exited;
  const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  await once(stranger, 'spawn');
  try {
    await writeFile(pidFile, text.replace(/^\d+/, String(stranger.pid)));
    await server.start();
    assert.equal(stranger.exitCode ?? stranger.signalCode, null);
  } finally {
    stranger.kill('SIGKILL');
  }
});

test('EmbeddedPostgres.start() gives the last lines of a Postgres that does not come up', async () => {
  await server.start();
  await server.stop();
  await rm(join(dir, 'data', 'global', 'pg_control'));
  await assert.rejects(server.start(), /Cannot start Postgres:[^]*pg_control/);
});

test('EmbeddedPostgres.start() begins again after a first start that was cut', async () => {
  await server.start();
  await server.stop();
  await rename(join(dir, 'data'), join(dir, 'data.new'));
  await rm(join(dir, 'data.new', 'PG_VERSION'));
  await server.start();
  assert.deepEqual(await query(server.url, 'SELECT 1 AS n'), [{ n: 1 }]);
});
