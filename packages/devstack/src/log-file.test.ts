import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { LogFile } from './log-file.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tunnox-log-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

test('LogFile appends lines for its owner only, also after a restart', async () => {
  const path = join(dir, 'a.log');
  new LogFile(path).write('one');
  new LogFile(path).write('two');
  assert.equal(await readFile(path, 'utf8'), 'one\ntwo\n');
  assert.equal((await stat(path)).mode & 0o777, 0o600);
});

test('LogFile begins anew at 10 MiB and keeps the one before', async () => {
  const path = join(dir, 'a.log');
  const log = new LogFile(path);
  const line = 'x'.repeat(1024 * 1024);
  for (let i = 0; i < 12; i++) log.write(line);
  assert.equal((await stat(`${path}.1`)).size, 10 * (line.length + 1));
  assert.equal((await stat(path)).size, 2 * (line.length + 1));
});

test('LogFile.write() does not fail when there is nowhere to write', () => {
  new LogFile(join(dir, 'no', 'such', 'folder')).write('lost');
});
