import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { describeProcess } from './process-table.ts';
import { RunRecord } from './run-record.ts';

let home: string;
let children: ChildProcess[];
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'tunnox-run-'));
  children = [];
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await rm(home, { recursive: true, force: true });
});

async function sleeper(): Promise<ChildProcess & { pid: number }> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  children.push(child);
  await once(child, 'spawn');
  assert.ok(child.pid !== undefined);
  return child as ChildProcess & { pid: number };
}

async function writeRecord(supervisor: object, owners: object[], processes: object): Promise<void> {
  await writeFile(join(home, 'run.json'), JSON.stringify({ supervisor, owners, processes }));
}

async function identity(pid: number): Promise<{ pid: number; startedAt: string }> {
  const found = await describeProcess(pid);
  assert.ok(found !== null);
  return { pid, startedAt: found.startedAt };
}

const DEAD = { pid: 2 ** 22 - 1, startedAt: 'never' };

test('RunRecord.take() refuses a folder on which a platform runs', async () => {
  const [supervisor, owner] = [await sleeper(), await sleeper()];
  await writeRecord(await identity(supervisor.pid), [await identity(owner.pid)], {});
  await assert.rejects(RunRecord.take(home, []), new RegExp(`runs already on ${home} \\(process ${supervisor.pid}\\)`));
  assert.equal(supervisor.signalCode, null);
});

test('RunRecord.take() ends a supervisor whose starter was killed', async () => {
  const supervisor = await sleeper();
  const exited = once(supervisor, 'exit');
  await writeRecord(await identity(supervisor.pid), [DEAD], {});
  await RunRecord.take(home, []);
  await exited;
});

test('RunRecord.take() ends what a killed supervisor left, and nobody who has got a pid of it', async () => {
  const [left, stranger] = [await sleeper(), await sleeper()];
  const exited = once(left, 'exit');
  await writeRecord(DEAD, [], {
    workerd: await identity(left.pid),
    postgres: { pid: stranger.pid, startedAt: 'before the stranger' },
  });
  await RunRecord.take(home, []);
  await exited;
  assert.equal(stranger.exitCode ?? stranger.signalCode, null);
});

test('RunRecord.take() takes a damaged record for none', async () => {
  await writeFile(join(home, 'run.json'), '{"supervisor":');
  const record = await RunRecord.take(home, [process.pid]);
  const child = await sleeper();
  await record.set('postgres', child.pid);
  assert.deepEqual(record.pids, { postgres: child.pid });
  const text = JSON.parse(await readFile(join(home, 'run.json'), 'utf8')) as { processes: object };
  assert.deepEqual(text.processes, { postgres: await identity(child.pid) });
  await record.remove();
  await assert.rejects(readFile(join(home, 'run.json')), { code: 'ENOENT' });
});
