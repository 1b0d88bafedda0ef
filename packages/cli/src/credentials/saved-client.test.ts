import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { CredentialFile } from './credential-file.ts';
import { SavedClient } from './saved-client.ts';

const server = 'https://api.example.com';

async function setUp(t: TestContext) {
  const dir = await mkdtemp(join(tmpdir(), 'tunnox-saved-'));
  t.after(() => rm(dir, { recursive: true }));
  const file = new CredentialFile(dir);
  const replaced: number[] = [];
  const take = async (apiKey?: string, at = server): Promise<SavedClient> => {
    const client = await SavedClient.take(file, {
      server: at,
      onReplaced: (clientId) => replaced.push(clientId),
      ...(apiKey === undefined ? {} : { apiKey }),
    });
    t.after(() => client.release());
    return client;
  };
  return { file, replaced, take };
}

test('SavedClient.take() gives what was saved, for its server and its key only', async (t) => {
  const { take, file } = await setUp(t);
  const first = await take('key');
  assert.deepEqual(first.current(), { apiKey: 'key' });
  await first.save({ clientId: 1, authCode: 'one' });
  first.release();
  assert.deepEqual((await take()).current(), {});
  assert.deepEqual((await take('other')).current(), { apiKey: 'other' });
  assert.deepEqual((await take('key', 'https://b.example')).current(), { apiKey: 'key' });
  assert.deepEqual((await take('key')).current(), { apiKey: 'key', clientId: 1, authCode: 'one' });
  assert.ok(!(await readFile(file.path, 'utf8')).includes('"key"'));
});

test('SavedClient.take() passes over a client that is in use', async (t) => {
  const { take } = await setUp(t);
  const first = await take();
  await first.save({ clientId: 1, authCode: 'one' });
  const second = await take();
  assert.deepEqual(second.current(), {});
  await second.save({ clientId: 2, authCode: 'two' });
  first.release();
  assert.equal((await take()).current().clientId, 1);
});

test('SavedClient.save() replaces the identity of a claimed client', async (t) => {
  const { take, file } = await setUp(t);
  const client = await take();
  await client.save({ clientId: 200_000_001, authCode: 'old' });
  await client.save({ clientId: 600_000_001, authCode: 'new' });
  assert.deepEqual(client.current(), { clientId: 600_000_001, authCode: 'new' });
  assert.deepEqual(
    (await file.read()).clients.map((saved) => saved.client_id),
    [600_000_001],
  );
});

test('SavedClient.save() keeps the place in the file and takes the random name along, in one step', async (t) => {
  const { take, file } = await setUp(t);
  const first = await take();
  await first.save({ clientId: 200_000_001, authCode: 'one' });
  const second = await take();
  await second.save({ clientId: 200_000_002, authCode: 'two' });
  await file.update((credentials) => {
    credentials.unnamed_domains[`${server} 200000001`] = 17;
    credentials.unnamed_domains[`${server} 200000002`] = 18;
  });
  await first.save({ clientId: 600_000_001, authCode: 'new' });
  const { clients, unnamed_domains } = await file.read();
  assert.deepEqual(
    clients.map((saved) => saved.client_id),
    [600_000_001, 200_000_002],
  );
  assert.deepEqual(unnamed_domains, { [`${server} 600000001`]: 17, [`${server} 200000002`]: 18 });
});

test('SavedClient.save() that cannot write goes on with the old code, which still opens', async (t) => {
  const { take, file } = await setUp(t);
  const client = await take();
  await client.save({ clientId: 200_000_001, authCode: 'old' });
  const intact = await readFile(file.path, 'utf8');
  await writeFile(file.path, '{');
  await assert.rejects(client.save({ clientId: 600_000_001, authCode: 'new' }), /is damaged/);
  assert.deepEqual(client.current(), { clientId: 200_000_001, authCode: 'old' });
  await writeFile(file.path, intact);
  await client.save({ clientId: 600_000_001, authCode: 'new' });
  assert.equal((await file.read()).clients[0]?.auth_code, 'new');
});

test("SavedClient.forget() keeps an account's client without its code, and the next one asks for it", async (t) => {
  const { take, file, replaced } = await setUp(t);
  const client = await take();
  await client.save({ clientId: 600_000_001, authCode: 'one' });
  assert.equal(await client.forget('unauthenticated'), false);
  assert.deepEqual(replaced, []);
  client.release();
  await assert.rejects(take(), { code: 'client_code_needed' });
  const never = () => assert.fail('the code is known');
  const named = await SavedClient.named(file, server, 600_000_001, async () => 'two');
  assert.deepEqual(named.current(), { clientId: 600_000_001, authCode: 'two' });
  await assert.rejects(SavedClient.named(file, server, 600_000_001, never), { code: 'client_in_use' });
  named.release();
  const again = await SavedClient.named(file, server, 600_000_001, never);
  assert.equal(again.current().authCode, 'two');
  again.release();
  await assert.rejects(
    SavedClient.named(file, server, 600_000_002, async () => ''),
    { code: 'client_code_needed' },
  );
  assert.equal((await take()).current().clientId, 600_000_001);
});

test('SavedClient.forget() tries the key on a client whose code is wrong, then a new client, then gives up', async (t) => {
  const { take, replaced, file } = await setUp(t);
  const client = await take('key');
  await client.save({ clientId: 1, authCode: 'one' });
  assert.equal(await client.forget('unauthenticated'), true);
  assert.deepEqual(client.current(), { clientId: 1, apiKey: 'key' });
  assert.deepEqual(replaced, []);
  assert.equal(await client.forget('not_found'), true);
  assert.deepEqual(client.current(), { apiKey: 'key' });
  assert.deepEqual(replaced, [1]);
  assert.deepEqual((await file.read()).clients, []);
  assert.equal(await client.forget('not_found'), false);
});

test('SavedClient.forget() keeps the client when it is the key that is wrong', async (t) => {
  const { take, file } = await setUp(t);
  const client = await take('key');
  await client.save({ clientId: 1, authCode: 'one' });
  await client.forget('unauthenticated');
  assert.equal(await client.forget('unauthenticated'), false);
  assert.equal((await file.read()).clients.length, 1);
});

test('SavedClient.forget() makes an anonymous client that is gone a new one', async (t) => {
  const { take, replaced } = await setUp(t);
  const client = await take();
  await client.save({ clientId: 200_000_001, authCode: 'old' });
  assert.equal(await client.forget('unauthenticated'), true);
  assert.deepEqual(client.current(), {});
  assert.deepEqual(replaced, [200_000_001]);
});
