import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { DEFAULT_SERVER, type GlobalOptions, resolveSettings } from './settings.ts';
import { UsageError } from './usage-error.ts';

const none: GlobalOptions = { transport: 'auto', json: false, insecure: false };

async function emptyDir(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'tunnox-settings-'));
  t.after(() => rm(dir, { recursive: true }));
  return dir;
}

test('resolveSettings() takes the option, the environment, the file, the last login and the default, in this order', async (t) => {
  const TUNNOX_CONFIG_DIR = await emptyDir(t);
  const env = { TUNNOX_CONFIG_DIR, TUNNOX_SERVER: '', TUNNOX_API_KEY: '' };
  const server = async (options: Partial<GlobalOptions>, more: Record<string, string>, file = {}): Promise<string> =>
    (await resolveSettings({ ...none, ...options }, { ...env, ...more }, file)).server;
  assert.equal(await server({}, {}), DEFAULT_SERVER);
  const { credentials } = await resolveSettings(none, env);
  await credentials.update((saved) => {
    saved.server = 'https://d.example';
    saved.logins['https://d.example'] = { api_key: 'saved' };
  });
  assert.equal(await server({}, {}), 'https://d.example');
  assert.equal((await resolveSettings(none, env)).apiKey, 'saved');
  assert.equal((await resolveSettings(none, { ...env, TUNNOX_API_KEY: 'env' })).apiKey, 'env');
  assert.equal((await resolveSettings({ ...none, server: 'x.example' }, env)).apiKey, undefined);
  const file = { server: 'https://c.example' };
  assert.equal(await server({}, {}, file), 'https://c.example');
  assert.equal(await server({}, { TUNNOX_SERVER: 'https://b.example' }, file), 'https://b.example');
  assert.equal(
    await server({ server: 'https://a.example' }, { TUNNOX_SERVER: 'https://b.example' }),
    'https://a.example',
  );
});

test('resolveSettings() brings addresses into one form', async (t) => {
  const env = { TUNNOX_CONFIG_DIR: await emptyDir(t) };
  const table: [string, string][] = [
    ['HTTPS://Api.Example.com/', 'https://api.example.com'],
    ['api.example.com', 'https://api.example.com'],
    ['localhost:9000', 'http://localhost:9000'],
    ['127.0.0.1:9000', 'http://127.0.0.1:9000'],
    ['https://example.com/tunnox/', 'https://example.com/tunnox'],
    ['http://example.com:80', 'http://example.com'],
  ];
  for (const [given, normal] of table) {
    assert.equal((await resolveSettings({ ...none, server: given }, env)).server, normal);
  }
  for (const wrong of ['ftp://x', 'http://', '://', 'a b']) {
    await assert.rejects(resolveSettings({ ...none, server: wrong }, env), UsageError, wrong);
  }
});
