import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { CredentialFile } from './credential-file.ts';

async function fileIn(t: TestContext): Promise<CredentialFile> {
  const dir = await mkdtemp(join(tmpdir(), 'tunnox-credentials-'));
  t.after(() => rm(dir, { recursive: true }));
  return new CredentialFile(join(dir, 'tunnox'));
}

test('CredentialFile.update() writes for the owner alone and leaves nothing behind', async (t) => {
  const file = await fileIn(t);
  await file.update((credentials) => {
    credentials.logins['https://a.example'] = { api_key: 'k' };
  });
  assert.equal((await stat(file.path)).mode & 0o777, 0o600);
  assert.equal((await stat(file.dir)).mode & 0o777, 0o700);
  assert.deepEqual((await readdir(file.dir)).sort(), ['credentials.json', 'locks']);
  assert.deepEqual(await readdir(file.locksDir), []);
  assert.deepEqual((await file.read()).logins, { 'https://a.example': { api_key: 'k' } });
});

test('CredentialFile.read() of no file is empty', async (t) => {
  const file = await fileIn(t);
  assert.deepEqual(await file.read(), { version: 1, logins: {}, unnamed_domains: {}, clients: [] });
});

test('CredentialFile.update() never overwrites a damaged file', async (t) => {
  const file = await fileIn(t);
  await file.update(() => {});
  await writeFile(file.path, '{"version":1,');
  await assert.rejects(
    file.update(() => {}),
    /is damaged/,
  );
  assert.equal(await readFile(file.path, 'utf8'), '{"version":1,');
});
